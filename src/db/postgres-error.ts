import pg from 'pg';
import { StatementRefused } from '../errors/errors.ts';

/** Converts an error of Postgres to a RafikiError; returns any other error unchanged. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { code = 'XX000', message, detail, hint } = error;
  return new StatementRefused(code, message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
