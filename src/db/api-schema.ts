import { EnvironmentUnfit } from '../errors/errors.ts';
import type { Queryable } from './database.ts';

/**
 * The schema of the functions rafiki_*, quoted. Sessions of roles may have a search path that does not lead there, or leads to another
 * role's functions first.
 */
export async function apiSchema(on: Queryable): Promise<string> {
  const [row] = await on.query<{ api: string }>(
    `select p.pronamespace::pg_catalog.regnamespace::pg_catalog.text as api from pg_catalog.pg_proc p
     where p.proname operator(pg_catalog.=) 'rafiki_train' and p.proowner operator(pg_catalog.=) 'rafiki_owner'::pg_catalog.regrole`,
  );
  if (row !== undefined) return row.api;
  throw new EnvironmentUnfit('rafiki is not installed in this database', {
    hint: 'Install it with "rafiki install --database-url URL", or choose another database.',
  });
}
