import type { InputKind } from '../../domain/task.ts';
import type { Queryable } from '../database.ts';

export interface NewEncoder {
  name: string;
  input: Exclude<InputKind, 'columns'>;
  /** Numbers of a vector. */
  width: number;
  paramsId: number;
  /** Where it came from. */
  source: string;
  licence: string | null;
  /** Of its ONNX file. */
  bytes: number;
  /** Why its weights cannot be trained further; null if they can. */
  obstacle: string | null;
  /** Null: every role may use it. */
  roles: readonly string[] | null;
}

/** Throws Postgres' errors for roles that do not exist, and for a session without the rights of rafiki's owner. */
export async function insertEncoder(on: Queryable, encoder: NewEncoder): Promise<void> {
  const { name, input, width, paramsId, source, licence, bytes, obstacle, roles } = encoder;
  const sql = `
    with added as (
      insert into rafiki.encoder (name, input, width, params_id, source, licence, bytes, is_public, obstacle)
      values ($1, $2, $3, $4, $5, $6, $7, $8::text[] is null, $9) returning id
    )
    insert into rafiki.encoder_grant (encoder_id, role) select a.id, r::regrole from added a, unnest($8::text[]) r
    on conflict do nothing`;
  await on.query(sql, [name, input, width, paramsId, source, licence, bytes, roles, obstacle]);
}

/** Throws Postgres' error for a role that does not exist. */
export async function requireRoles(on: Queryable, roles: readonly string[]): Promise<void> {
  await on.query('select r::regrole from unnest($1::text[]) r', [roles]);
}

export async function encoderExists(on: Queryable, name: string): Promise<boolean> {
  return (await on.query('select from rafiki.encoder where name = $1', [name])).length > 0;
}

/** For a list: as in the view, without its times. */
export function selectEncoders(on: Queryable): Promise<Record<string, unknown>[]> {
  return on.query(
    'select name, input, width, size, trainable, licence, source, granted_to as "only for" from rafiki.encoders',
  );
}

/** The parameters that an encoder is; undefined if there is none of that name. */
export async function selectEncoderParams(on: Queryable, name: string): Promise<number | undefined> {
  const sql = 'select params_id as "paramsId" from rafiki.encoder where name = $1';
  const [row] = await on.query<{ paramsId: number }>(sql, [name]);
  return row?.paramsId;
}

/** Locks an encoder until the transaction ends, so that no study begins with it. Returns false if there is none of that name. */
export async function lockEncoder(on: Queryable, name: string): Promise<boolean> {
  return (await on.query('select id from rafiki.encoder where name = $1 for update', [name])).length > 0;
}

/** Open studies whose trials stand on an encoder. */
export function selectEncoderStudies(on: Queryable, name: string): Promise<{ id: number; model: string }[]> {
  const sql = `
    select s.id, s.model from rafiki.study s join rafiki.encoder e on e.id = any(s.encoder_ids)
    where e.name = $1 and s.state in ('queued', 'running') order by s.id limit 10`;
  return on.query(sql, [name]);
}

/** Models with versions that stand on an encoder. */
export async function selectEncoderModels(on: Queryable, name: string): Promise<string[]> {
  const sql = `
    select distinct m.name from rafiki.encoder n join rafiki.params p on p.stands_on = n.params_id
    join rafiki.model_member e on e.answering_params_id = p.id
    join rafiki.model_version v on v.id = e.version_id join rafiki.model m on m.id = v.model_id
    where n.name = $1 order by m.name`;
  return (await on.query<{ name: string }>(sql, [name])).map((model) => model.name);
}

/** Whether the session's role may add encoders: it has the rights of rafiki's owner. */
export async function mayChangeEncoders(on: Queryable): Promise<boolean> {
  const sql = `
    select pg_catalog.has_table_privilege('rafiki.encoder', 'insert') and pg_catalog.has_table_privilege('rafiki.params', 'insert') as may`;
  const [row] = await on.query<{ may: boolean }>(sql);
  return row?.may === true;
}

/** Its weights stay as long as models stand on them. */
export async function deleteEncoder(on: Queryable, name: string): Promise<void> {
  await on.query('delete from rafiki.encoder where name = $1', [name]);
}

/** Lets a role use it; null: every role. Returns false if there is no encoder of that name. */
export async function grantEncoder(on: Queryable, name: string, role: string | null): Promise<boolean> {
  if (role === null)
    return (
      (await on.query('update rafiki.encoder set is_public = true where name = $1 returning id', [name])).length > 0
    );
  const sql = `
    insert into rafiki.encoder_grant (encoder_id, role) select e.id, $2::text::regrole from rafiki.encoder e where e.name = $1
    on conflict do nothing`;
  if (!(await encoderExists(on, name))) return false;
  await on.query(sql, [name, role]);
  return true;
}

/** Models that stand on it stay. Returns false if there is no encoder of that name. */
export async function revokeEncoder(on: Queryable, name: string, role: string | null): Promise<boolean> {
  if (role === null)
    return (
      (await on.query('update rafiki.encoder set is_public = false where name = $1 returning id', [name])).length > 0
    );
  if (!(await encoderExists(on, name))) return false;
  const sql = `
    delete from rafiki.encoder_grant g using rafiki.encoder e
    where e.id = g.encoder_id and e.name = $1 and g.role = $2::text::regrole`;
  await on.query(sql, [name, role]);
  return true;
}
