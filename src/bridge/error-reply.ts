import { ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Reply } from '../protocol/reply.ts';
import { errorResponse, readyForQuery } from './messages.ts';

/** An error goes into the reply, so that SQLSTATE, DETAIL and HINT reach the caller of the SQL function unchanged. */
export function errorReply(error: unknown): Reply | Buffer {
  const report = reportError(error);
  if (error instanceof ProtocolViolation) return Buffer.concat([errorResponse('ERROR', report), readyForQuery]);
  return { s: 'e', v: JSON.stringify(report), loc: null };
}
