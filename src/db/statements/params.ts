import type { InputKind } from '../../domain/task.ts';
import type { Dtype } from '../../domain/tensor.ts';
import type { Queryable } from '../database.ts';

export type ParamsKind = 'checkpoint' | 'model' | 'weights' | 'round';

/** A tensor of a parameter set: its shape, and the hash of its bytes. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Of published weights: only a tensor of the same shape and role can replace it. */
  role: string | null;
  hash: Buffer;
}

export interface NewParams {
  kind: ParamsKind;
  meta: Buffer;
  /** Of published weights: hash of the rows trained and validated on. */
  basis: Buffer | null;
  /** The encoder that a model's inputs go through. */
  standsOn: number | null;
}

export async function insertParams(on: Queryable, { kind, meta, basis, standsOn }: NewParams): Promise<number> {
  const sql = 'insert into rafiki.params (kind, meta, basis, stands_on) values ($1, $2, $3, $4) returning id';
  const [row] = await on.query<{ id: number }>(sql, [kind, meta, basis, standsOn]);
  return row!.id;
}

export async function insertTensors(on: Queryable, paramsId: number, places: readonly TensorEntry[]): Promise<void> {
  const sql = `
    insert into rafiki.params_tensor (params_id, name, dtype, shape, role, hash)
    select $1, t.name, t.dtype, array(select jsonb_array_elements_text(t.shape)::int), t.role, decode(t.hash, 'hex')
    from jsonb_to_recordset($2::jsonb) as t (name text, dtype text, shape jsonb, role text, hash text)`;
  await on.query(sql, [
    paramsId,
    JSON.stringify(places.map((place) => ({ ...place, hash: place.hash.toString('hex') }))),
  ]);
}

export async function selectMeta(on: Queryable, paramsId: number): Promise<Buffer | undefined> {
  const [row] = await on.query<{ meta: Buffer }>('select meta from rafiki.params where id = $1', [paramsId]);
  return row?.meta;
}

/**
 * Deletes parameter sets without a reference from a trial of an open study or from a model. New ones are referenced soon, hence the
 * grace period; published weights immediately, so theirs is shorter. Returns the number.
 */
export async function deleteOrphanParams(on: Queryable, graceMs: number, publishedGraceMs: number): Promise<number> {
  const sql = `
    delete from rafiki.params p
    where p.created_at < now() - case when p.kind in ('weights', 'round') then $2::float8 else $1 end * interval '1 ms'
      and not exists (select from rafiki.trial t where t.checkpoint_id = p.id)
      and not exists (
        select from rafiki.trial t join rafiki.study s on s.id = t.study_id
        where t.params_id = p.id and s.state in ('queued', 'running'))
      and not exists (select from rafiki.trial t where t.published_id = p.id)
      and not exists (
        select from rafiki.trial_start s join rafiki.trial t on t.id = s.trial_id join rafiki.study y on y.id = t.study_id
        where s.params_id = p.id and (t.ended_at is null or y.refit and y.state = 'running'))
      and not exists (select from rafiki.trial_variant t where t.params_id = p.id)
      and not exists (select from rafiki.trial_round r where r.params_id = p.id)
      and not exists (select from rafiki.trial_change c where c.params_id = p.id)
      and not exists (select from rafiki.encoder e where e.params_id = p.id)
      and not exists (select from rafiki.params m where m.stands_on = p.id)
      and not exists (select from rafiki.model_member m where m.params_id = p.id)
      and not exists (select from rafiki.model_member m where m.refit_params_id = p.id)
      and not exists (select from rafiki.model_member m where m.weights_id = p.id)
    returning p.id`;
  return (await on.query(sql, [graceMs, publishedGraceMs])).length;
}

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

/** Open studies whose trials stand on an encoder. */
export function selectEncoderStudies(on: Queryable, name: string): Promise<{ id: number; model: string }[]> {
  const sql = `
    select s.id, s.model from rafiki.study s join rafiki.encoder e on e.id = any(s.encoder_ids)
    where e.name = $1 and s.state in ('queued', 'running') order by s.id limit 10`;
  return on.query(sql, [name]);
}

/** Its weights stay as long as models stand on them. Returns false if there is no encoder of that name. */
export async function deleteEncoder(on: Queryable, name: string): Promise<boolean> {
  return (await on.query('delete from rafiki.encoder where name = $1 returning id', [name])).length > 0;
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
