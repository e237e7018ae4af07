import type { Queryable } from './database.ts';
import type { WaitingAttachment } from './statements/attachments.ts';

/** Version of the function that fills a table; undefined if it does not belong to the table's owner, or would not run with its rights. */
export async function fillerVersion(on: Queryable, { reader, owner }: WaitingAttachment): Promise<string | undefined> {
  const sql = `
    select p.oid || ' ' || p.xmin::text as version from pg_proc p
    where p.pronamespace = 'rafiki_reader'::regnamespace and p.proname = $1 and p.proowner::int8 = $2
      and p.prosecdef and p.prorettype = 'text'::regtype and not p.proretset
      and p.pronargs = current_setting('max_function_args')::int and 'boolean'::regtype::oid = all (p.proargtypes::oid[])`;
  const [found] = await on.query<{ version: string }>(sql, [reader, owner]);
  return found?.version;
}
