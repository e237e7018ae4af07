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

/**
 * Returns which of the hashes are stored, and starts a new grace period for them, so that garbage collection, which waits
 * for the row lock and checks again, does not delete them. Ordered, so that two sessions cannot deadlock.
 */
export async function touchBlobs(on: Queryable, hashes: readonly Buffer[]): Promise<Buffer[]> {
  const sql = `
    with locked as (select hash from rafiki.blob where hash = any($1) order by hash for update)
    update rafiki.blob b set created_at = now() from locked where b.hash = locked.hash
    returning b.hash`;
  return (await on.query<{ hash: Buffer }>(sql, [hashes])).map((row) => row.hash);
}

/** A stored tensor: its bytes, or the object in S3 that has them. */
export type StoredBlob = { hash: Buffer } & ({ data: Buffer; objectId: null } | { data: null; objectId: string });

export async function insertBlob(on: Queryable, { hash, data, objectId }: StoredBlob): Promise<void> {
  const sql = `
    insert into rafiki.blob (hash, data, object_id) values ($1, $2, $3)
    on conflict (hash) do update set created_at = now()`;
  await on.query(sql, [hash, data, objectId]);
}

/** Registers an object before it is uploaded to S3, so that it can be deleted there if this process dies; returns its id. */
export async function insertObject(on: Queryable, hash: Buffer): Promise<string> {
  const [row] = await on.query<{ id: string }>('insert into rafiki.object (hash) values ($1) returning id', [hash]);
  return row!.id;
}

export interface StoredObject {
  id: string;
  hash: Buffer;
}

/** Objects that were released, or that no blob references after `graceMs`, longer than an upload takes; locked until the transaction ends. */
export function lockUnusedObjects(on: Queryable, graceMs: number, limit: number): Promise<StoredObject[]> {
  const sql = `
    select o.id, o.hash from rafiki.object o
    where (o.released or o.created_at < now() - $1 * interval '1 ms')
      and not exists (select from rafiki.blob b where b.object_id = o.id)
    order by o.id limit $2 for update skip locked`;
  return on.query(sql, [graceMs, limit]);
}

export async function deleteObjects(on: Queryable, ids: readonly string[]): Promise<void> {
  await on.query('delete from rafiki.object where id = any($1)', [ids]);
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

export function selectTensors(on: Queryable, paramsId: number): Promise<(StoredBlob & { name: string })[]> {
  const sql = `
    select t.name, t.hash, b.data, b.object_id as "objectId" from rafiki.params_tensor t join rafiki.blob b using (hash)
    where t.params_id = $1 order by t.name`;
  return on.query(sql, [paramsId]);
}

export function selectBlobs(on: Queryable, hashes: readonly Buffer[]): Promise<StoredBlob[]> {
  return on.query('select hash, data, object_id as "objectId" from rafiki.blob where hash = any($1)', [hashes]);
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

export async function deleteOrphanBlobs(on: Queryable, graceMs: number): Promise<number> {
  const sql = `
    with deleted as (
      delete from rafiki.blob b
      where b.created_at < now() - $1 * interval '1 ms'
        and not exists (select from rafiki.params_tensor t where t.hash = b.hash)
      returning b.hash, b.object_id
    ), released as (
      update rafiki.object o set released = true from deleted where o.id = deleted.object_id
    )
    select hash from deleted`;
  return (await on.query(sql, [graceMs])).length;
}
