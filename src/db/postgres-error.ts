import pg from 'pg';
import { StatementRefused } from '../errors/errors.ts';

/** What Postgres says about a statement, as an error of ours; anything else is handed back as it is. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { code = 'XX000', message, detail, hint } = error;
  return new StatementRefused(code, message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
