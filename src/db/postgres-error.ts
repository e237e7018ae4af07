import pg from 'pg';
import { DatabaseUnreachable, StatementRefused } from '../errors/errors.ts';
import { RafikiError } from '../errors/rafiki-error.ts';

/** pg's own errors of a slow or lost connection, which have no code. */
const lost = new RegExp(
  `^(${[
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Query read timeout',
    'Connection terminated.*',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'There was an error establishing an SSL connection', // the server answered with an error: it starts, or has no place
  ].join('|')})$`,
);

/** Whether it is an error of pg about its connection, whatever other errors say. */
export const isConnectionLost = (error: unknown): error is Error =>
  error instanceof Error && !(error instanceof RafikiError) && !('code' in error) && lost.test(error.message);

/** Of roles and passwords; no statement of the service fails with them. */
const ofLogins = new Set(['28000', '28P01']);
/** pg's own error if PGPASSFILE has no password for the role, as while its lines are replaced. */
const NO_PASSWORD = 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string';

/** Whether Postgres refused a login of ours. After a process has started, its password is being changed: the next session may have the new one. */
export const isLoginRefused = (error: unknown): boolean =>
  error instanceof pg.DatabaseError
    ? ofLogins.has(error.code ?? '')
    : error instanceof Error && !(error instanceof RafikiError) && error.message === NO_PASSWORD;

/** Names that a schema of another version does not have, or has twice. */
const ofOtherSchema = new Set([
  '3F000', // invalid_schema_name
  '42702', // ambiguous_column
  '42703', // undefined_column
  '42725', // ambiguous_function
  '42883', // undefined_function
  '42P01', // undefined_table
  '42P10', // invalid_column_reference: ON CONFLICT without its index
]);

/** Whether Postgres refused a statement of ours because rafiki's schema is that of another version: no fault of what the statement is about. */
export const isOtherSchema = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && ofOtherSchema.has(error.code ?? '');

/** An error of pg about its connection, with a reason and what to do; returns any other error unchanged, whatever its message is. */
export function withReason(error: unknown): unknown {
  if (!isConnectionLost(error)) return error;
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

/** An error of COPY … FROM with the row and the column, which Postgres says in its context alone; of another one, the same. */
export function withRow(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const [, row, column] = /^COPY \S+, \D+(\d+)(?:, \S+ (.+?))?(?::|$)/m.exec(error.where ?? '') ?? [];
  if (row === undefined) return error;
  const { code = 'XX000', message, detail, hint } = error;
  const place = `It is in row ${row}${column === undefined ? '' : `, column "${column}"`}.`;
  return new StatementRefused(code, message, {
    detail: detail === undefined ? place : `${place} ${detail}`,
    hint: hint ?? 'Correct the row, and send all of them again.',
    cause: error,
  });
}
