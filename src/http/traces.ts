import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isTraceparent } from '../protocol/latency-options.ts';
import { isTracing, type TracedCall, tracedCall } from '../tracing/traced-call.ts';

declare module 'fastify' {
  interface FastifyRequest {
    trace: TracedCall | undefined;
  }
}

/** A span for each request that its client traces. A prediction takes it to the server that answers it. */
export function traceRequests(app: FastifyInstance): void {
  app.decorateRequest('trace', undefined);
  app.addHook('onRequest', (request, _, done) => {
    if (isTracing()) begin(request);
    done();
  });
  app.addHook('onResponse', ({ trace }, { statusCode }, done) => {
    trace?.end({ 'http.response.status_code': statusCode }, statusCode >= 500 ? String(statusCode) : undefined);
    done();
  });
}

function begin(request: FastifyRequest): void {
  const { method, headers, routeOptions } = request;
  const { traceparent } = headers;
  const trace = tracedCall({
    name: `${method} ${routeOptions.url ?? ''}`.trim(),
    traceparent: typeof traceparent === 'string' && isTraceparent(traceparent) ? traceparent : undefined,
    attributes: { 'http.request.method': method, ...(routeOptions.url && { 'http.route': routeOptions.url }) },
  });
  if (trace === undefined) return;
  request.trace = trace;
  headers['traceparent'] = trace.traceparent;
}
