import type { Queryable } from '../../database.ts';

/** A role that models, studies or tokens belong to, or that models were granted to, and all roles that have its rights, including itself. */
export interface RoleMembers {
  /** Its oid; 0 for the roles that bypass row-level security. */
  role: number;
  members: number[];
}

/**
 * The roles that may use models, by inheritance: up to PostgreSQL 15 a role inherits from all roles that it is a member of or from none,
 * later each membership has its own option.
 */
export function selectRoleMembers(on: Queryable): Promise<RoleMembers[]> {
  const sql = `
    with recursive membership (roleid, member) as (
      select m.roleid, m.member from pg_auth_members m join pg_roles r on r.oid = m.member
      where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit)
      union all -- the database's owner, for whom there is no row
      select 'pg_database_owner'::regrole::oid, d.datdba from pg_database d where d.datname = current_database()
    ), holder as (
      select r.role, r.role as member
      from (select m.owner::oid as role from rafiki.model m union select g.role::oid from rafiki.model_grant g
            union select s.owner::oid from rafiki.study s union select t.owner::oid from rafiki.token t) r
      join pg_roles known on known.oid = r.role
      union
      select h.role, m.member from holder h join membership m on m.roleid = h.member
    )
    select h.role::int8 as role, array_agg(h.member::int8 order by h.member)::int8[] as members from holder h group by h.role
    union all
    select 0, array_agg(r.oid::int8 order by r.oid)::int8[] from pg_roles r where r.rolsuper or r.rolbypassrls`;
  return on.query(sql);
}

/**
 * Sets new access keys for the models that belong or were granted to these roles, and for their studies and tokens; for all if the
 * role is 0. Skips those that another session is changing, and returns their number.
 */
export async function renewKeys(on: Queryable, roles: readonly number[]): Promise<number> {
  const sql = `
    with concerned as (
      select m.id from rafiki.model m
      where 0 = any($1::oid[]) or m.owner::oid = any($1::oid[])
        or exists (select from rafiki.model_grant g where g.model_id = m.id and g.role::oid = any($1::oid[]))
    ), free as (
      select m.id from rafiki.model m where m.id in (select id from concerned) for no key update skip locked
    ), renewed as (
      update rafiki.model_key k set key = gen_random_uuid(), owner_key = gen_random_uuid()
      from free where free.id = k.model_id returning k.model_id
    ), study as (
      select s.id from rafiki.study s where 0 = any($1::oid[]) or s.owner::oid = any($1::oid[])
    ), unlocked as (
      select s.id from rafiki.study s where s.id in (select id from study) for no key update skip locked
    ), rekeyed as (
      update rafiki.study_key k set key = gen_random_uuid() from unlocked where unlocked.id = k.study_id returning k.study_id
    ), token as (
      select t.id from rafiki.token t where 0 = any($1::oid[]) or t.owner::oid = any($1::oid[])
    ), unused as (
      select t.id from rafiki.token t where t.id in (select id from token) for update skip locked
    ), reissued as (
      update rafiki.token t set key = gen_random_uuid() from unused where unused.id = t.id returning t.id
    )
    select ((select count(*) from concerned) - (select count(*) from renewed)
            + (select count(*) from study) - (select count(*) from rekeyed)
            + (select count(*) from token) - (select count(*) from reissued))::int as left`;
  const [row] = await on.query<{ left: number }>(sql, [roles]);
  return row?.left ?? 0;
}
