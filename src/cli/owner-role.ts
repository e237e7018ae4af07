import type { Queryable } from '../db/database.ts';

/**
 * Whoever may become rafiki_owner, and is no superuser, installs as that role: so nothing is his own, and what he was lent may be
 * taken back. Not where 0.1.0 is his own, which only he can give away. For the transaction, after the prologue, which looks who has logged in and where the API goes.
 */
export async function becomeOwner(tx: Queryable): Promise<void> {
  const [row] = await tx.query<{ may: boolean }>(`
    select not r.rolsuper and o.oid is not null and pg_catalog.has_database_privilege(o.oid, pg_catalog.current_database(), 'create')
        and pg_catalog.pg_has_role(o.oid, case when pg_catalog.current_setting('server_version_num')::int4
                                                   operator(pg_catalog.>=) 160000 then 'set' else 'member' end)
        and not exists (select from pg_catalog.pg_extension e where e.extname operator(pg_catalog.=) 'rafiki'
                          and e.extowner operator(pg_catalog.<>) o.oid)
        and not exists (select from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) 'rafiki'
                          and n.nspowner operator(pg_catalog.<>) o.oid) as may
    from pg_catalog.pg_roles r left join pg_catalog.pg_roles o on o.rolname operator(pg_catalog.=) 'rafiki_owner'
    where r.rolname operator(pg_catalog.=) current_user`);
  if (row?.may !== true) return;
  await tx.query('set local role rafiki_owner');
}

/** Who, but for superusers, may become rafiki_owner: he owns rafiki in every database of the cluster. Quoted as SQL wants them. */
export async function ownerMembers(on: Queryable): Promise<string[]> {
  const rows = await on.query<{ name: string }>(`
    select pg_catalog.quote_ident(r.rolname) as name from pg_catalog.pg_roles r
    where not r.rolsuper and r.rolname operator(pg_catalog.<>) 'rafiki_owner'
      and pg_catalog.pg_has_role(r.oid, 'rafiki_owner', 'member') order by 1`);
  return rows.map(({ name }) => name);
}
