import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from '../runtime/logger.ts';

const MAX_PATH_CHARS = 300;

/**
 * A line for each request that Node could read, when it has ended or its client has left. What was asked after the path, and what was sent, is nobody
 * else's. To be called before other hooks: those that refuse a request end the chain.
 */
export function logRequests(app: FastifyInstance, logger: Logger): void {
  const known = new WeakMap<IncomingMessage, FastifyRequest>();
  app.addHook('onRequest', (request, _, done) => {
    known.set(request.raw, request);
    done();
  });
  // of the server itself: a path that cannot be decoded reaches no hook
  app.server.prependListener('request', (raw: IncomingMessage, response: ServerResponse) => {
    const startedMs = performance.now();
    const { method, url = '', socket } = raw;
    const address = socket.remoteAddress;
    response.once('close', () => {
      const request = known.get(raw);
      const path = (url.split('?', 1)[0] ?? '').slice(0, MAX_PATH_CHARS);
      const status = response.writableFinished ? response.statusCode : null;
      const ms = Math.round(10 * (performance.now() - startedMs)) / 10;
      logger.info(
        { client: request?.ip ?? address, role: request?.role?.role ?? null, method, path, status, ms },
        'request',
      );
    });
  });
}
