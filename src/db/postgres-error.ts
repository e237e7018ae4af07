import pg from 'pg';
import { DatabaseUnreachable, StatementRefused } from '../errors/errors.ts';
import { RafikiError } from '../errors/rafiki-error.ts';

/** pg's own errors of a slow or lost connection, which have no code. */
const lost = /^(timeout exceeded when trying to connect|timeout expired|Query read timeout|Connection terminated.*)$/;

/** An error of pg about its connection, with a reason and what to do; returns any other error unchanged, whatever its message is. */
export function withReason(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RafikiError || 'code' in error || !lost.test(error.message))
    return error;
  return new DatabaseUnreachable('the database does not answer', {
    detail: error.message,
    hint: 'Check that it runs and is not overloaded, and repeat the call in a moment.',
    cause: error,
  });
}

/** Converts an error of Postgres, or of the connection to it, to a RafikiError; returns any other error unchanged. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return withReason(error);
  const { code = 'XX000', message, detail, hint } = error;
  return new StatementRefused(code, message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
