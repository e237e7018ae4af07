import type { Queryable } from '../../db/database.ts';

/**
 * Continues the installation as rafiki_owner if the role can and is not a superuser, so that it owns nothing and its
 * memberships can be revoked afterwards. Objects of 0.1.0 that it owns are transferred first. Affects the transaction;
 * called after the prologue, which records the login role and the API's schema.
 */
export async function becomeOwner(tx: Queryable): Promise<void> {
  const [row] = await tx.query<{ may: boolean; is_own: boolean }>(`
    select not r.rolsuper and o.oid is not null and pg_catalog.has_database_privilege(o.oid, pg_catalog.current_database(), 'create')
        and pg_catalog.pg_has_role(o.oid, case when pg_catalog.current_setting('server_version_num')::int4
                                                   operator(pg_catalog.>=) 160000 then 'set' else 'member' end)
        and not exists (select from pg_catalog.pg_extension e where e.extname operator(pg_catalog.=) 'rafiki'
                          and e.extowner operator(pg_catalog.<>) o.oid) as may,
      exists (select from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) 'rafiki'
                and n.nspowner operator(pg_catalog.=) r.oid) as is_own
    from pg_catalog.pg_roles r left join pg_catalog.pg_roles o on o.rolname operator(pg_catalog.=) 'rafiki_owner'
    where r.rolname operator(pg_catalog.=) current_user`);
  if (row?.may !== true) return;
  if (row.is_own) await giveToOwner(tx);
  await tx.query('set local role rafiki_owner');
}

/**
 * Transfers objects to rafiki_owner: those in the schemas of rafiki, and in the API's schema those of the owner of
 * schema rafiki, as that role or as a superuser. The script replaces objects of the schema's owner. Needs a pinned
 * search path.
 */
export async function giveToOwner(tx: Queryable): Promise<void> {
  await tx.query(giveToOwnerSql);
}

/** Whether an object in schema rafiki belongs to another extension. */
export const isForeign = (alias: string): string => `exists (
  select from pg_depend d join pg_extension e on e.oid = d.refobjid
  where d.classid = ${alias}.tableoid and d.objid = ${alias}.oid and d.deptype = 'e'
    and d.refclassid = 'pg_extension'::regclass and e.extname <> 'rafiki')`;

const giveToOwnerSql = `
do $$
declare
  before constant oid := (select nspowner from pg_namespace where nspname = 'rafiki');
  statement text;
begin
  for statement in
    select format('alter schema %I owner to rafiki_owner', n.nspname) from pg_namespace n where n.nspname in ('rafiki', 'rafiki_reader')
    union all
    select format('alter routine %s owner to rafiki_owner', p.oid::regprocedure) from pg_proc p
    where p.proowner <> 'rafiki_owner'::regrole and not ${isForeign('p')} and (p.pronamespace = 'rafiki'::regnamespace
      or p.pronamespace = current_setting('rafiki.home')::regnamespace and p.proname like e'rafiki\\_%' and p.proowner = before)
    union all
    select format('alter table %s owner to rafiki_owner', c.oid::regclass) from pg_class c
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind in ('r', 'v') and not ${isForeign('c')}
    union all
    select format('alter type %s owner to rafiki_owner', t.oid::regtype) from pg_type t join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'rafiki'::regnamespace and c.relkind = 'c' and not ${isForeign('c')}
    union all
    select 'alter server rafiki_bridge owner to rafiki_owner' from pg_foreign_server where srvname = 'rafiki_bridge'
  loop
    execute statement;
  end loop;
end $$`;

/**
 * Roles other than superusers that can become rafiki_owner, and so own rafiki in every database of the cluster. Quoted
 * for SQL.
 */
export async function ownerMembers(on: Queryable): Promise<string[]> {
  const rows = await on.query<{ name: string }>(`
    select pg_catalog.quote_ident(r.rolname) as name from pg_catalog.pg_roles r
    where not r.rolsuper and r.rolname operator(pg_catalog.<>) 'rafiki_owner'
      and pg_catalog.pg_has_role(r.oid, 'rafiki_owner', 'member') order by 1`);
  return rows.map(({ name }) => name);
}
