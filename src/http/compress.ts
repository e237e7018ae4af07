import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const zipped = promisify(gzip);
/** Shorter answers are one or two packets anyway. */
const MIN_CHARS = 4_096;
/** Beyond it the time grows quicker than the bytes fall. */
const LEVEL = 4;

/** As onSend of a route. For answers of which nothing comes from the request: otherwise their length could tell what else is in them. */
export async function compress(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const vary = reply.getHeader('vary');
  void reply.header('vary', vary === undefined ? 'accept-encoding' : `${String(vary)}, accept-encoding`);
  const isRead = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (!isRead || typeof payload !== 'string' || payload.length < MIN_CHARS) return payload;
  void reply.header('content-encoding', 'gzip');
  return zipped(payload, { level: LEVEL });
}
