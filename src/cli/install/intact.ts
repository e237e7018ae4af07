import type { Queryable } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { isForeign } from './owner-role.ts';

/**
 * Whether all objects are rafiki_owner's, with the rights that the script grants. Objects that were restored without
 * roles, owners or rights belong to another role, or are accessible to everybody or nobody; without rights their ACL is
 * null.
 */
export async function isSchemaIntact(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ intact: boolean }>(`
    with ours (owner, has_rights) as (
      select n.nspowner, n.nspacl is not null from pg_namespace n where n.nspname in ('rafiki', 'rafiki_reader')
      union all
      select c.relowner, c.relacl is not null and (not c.relrowsecurity or exists (select from pg_policy p where p.polrelid = c.oid))
      from pg_class c where c.relnamespace = to_regnamespace('rafiki') and c.relkind in ('r', 'v') and not ${isForeign('c')}
      union all
      select p.proowner, p.proacl is not null from pg_proc p where p.pronamespace = to_regnamespace('rafiki') and not ${isForeign('p')})
    select bool_and(has_rights and owner = to_regrole('rafiki_owner')) is true as intact from ours`);
  return row?.intact === true;
}

/** The script creates the roles; a dump does not contain them. */
export async function checkRoles(tx: Queryable): Promise<void> {
  const missing = await tx.query<{ name: string }>(`
    select r.name from unnest('{rafiki_owner,rafiki_service,rafiki_reader}'::text[]) r (name) where to_regrole(r.name) is null`);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const login = (name: string): string => (name === 'rafiki_owner' ? 'nologin' : 'login noinherit');
  throw new EnvironmentUnfit(`roles that rafiki needs are missing: ${names.join(', ')}`, {
    detail: 'The database was restored without them, or they were dropped.',
    hint: `An administrator must create them; then install again: ${names.map((name) => `create role ${name} ${login(name)};`).join(' ')}`,
  });
}
