import type { FastifyInstance } from 'fastify';
import { isTraceparent } from '../protocol/latency-options.ts';
import { type TracedCall, tracedCall } from '../tracing/traced-call.ts';

declare module 'fastify' {
  interface FastifyRequest {
    trace: TracedCall | undefined;
  }
}

/** A span for each request that its client traces. A prediction takes it to the server that answers it. */
export function traceRequests(app: FastifyInstance): void {
  app.decorateRequest('trace', undefined);
  app.addHook('onRequest', async (request) => {
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
  });
  app.addHook('onResponse', async ({ trace }, { statusCode }) => {
    const error = statusCode >= 500 ? { code: String(statusCode), message: '' } : undefined;
    trace?.end({ 'http.response.status_code': statusCode }, error);
  });
}
