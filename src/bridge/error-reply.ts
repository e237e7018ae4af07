import { ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Reply } from '../protocol/reply.ts';
import { errorResponse, readyForQuery } from './messages.ts';

/** Errors of a request go in-band, so that SQLSTATE, DETAIL and HINT reach the caller of the SQL function whole. */
export function errorReply(error: unknown): Reply | Buffer {
  const report = reportError(error);
  if (error instanceof ProtocolViolation) return Buffer.concat([errorResponse('ERROR', report), readyForQuery]);
  return { s: 'e', v: JSON.stringify(report), loc: null };
}
