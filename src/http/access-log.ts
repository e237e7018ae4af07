import type { FastifyInstance } from 'fastify';
import type { Logger } from '../runtime/logger.ts';

const MAX_PATH_CHARS = 300;

/** A line for each request that has ended, or whose client has left. What was asked after the path, and what was sent, is nobody else's. */
export function logRequests(app: FastifyInstance, logger: Logger): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { method, url, ip: client } = request;
    const path = (url.split('?', 1)[0] ?? '').slice(0, MAX_PATH_CHARS);
    reply.raw.once('close', () => {
      const role = request.role?.role ?? null;
      const ms = Math.round(10 * reply.elapsedTime) / 10;
      const ended = reply.raw.writableFinished ? { status: reply.statusCode } : { status: null };
      logger.info({ client, role, method, path, ...ended, ms }, 'request');
    });
    done();
  });
}
