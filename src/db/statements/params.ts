import type { Dtype } from '../../domain/tensor.ts';
import type { Queryable } from '../database.ts';

export type ParamsKind = 'checkpoint' | 'model' | 'weights';

/** Where a named tensor of a parameter set is: the shape index, and the hash of its bytes. */
export interface TensorPlace {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Of published weights: only a tensor of the same shape and role can take its place. */
  role: string | null;
  hash: Buffer;
}

export interface NewParams {
  kind: ParamsKind;
  meta: Buffer;
  /** Of published weights: hash of the rows trained and validated on. */
  basis: Buffer | null;
}

export async function insertParams(on: Queryable, { kind, meta, basis }: NewParams): Promise<number> {
  const sql = 'insert into rafiki.params (kind, meta, basis) values ($1, $2, $3) returning id';
  const [row] = await on.query<{ id: number }>(sql, [kind, meta, basis]);
  return row!.id;
}

/**
 * Hashes of these that are stored already. Touching them gives them a new grace period, so that garbage collection,
 * which waits for the row lock and looks again, cannot take them from under us. Ordered: two savers cannot deadlock.
 */
export async function touchBlobs(on: Queryable, hashes: readonly Buffer[]): Promise<Buffer[]> {
  const sql = `
    with held as (select hash from rafiki.blob where hash = any($1) order by hash for update)
    update rafiki.blob b set created_at = now() from held where b.hash = held.hash
    returning b.hash`;
  return (await on.query<{ hash: Buffer }>(sql, [hashes])).map((row) => row.hash);
}

export async function insertBlob(on: Queryable, hash: Buffer, data: Buffer): Promise<void> {
  const sql = `
    insert into rafiki.blob (hash, data) values ($1, $2)
    on conflict (hash) do update set created_at = now()`;
  await on.query(sql, [hash, data]);
}

export async function insertTensors(on: Queryable, paramsId: number, places: readonly TensorPlace[]): Promise<void> {
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

export function selectTensors(
  on: Queryable,
  paramsId: number,
): Promise<{ name: string; hash: Buffer; data: Buffer }[]> {
  const sql = `
    select t.name, t.hash, b.data from rafiki.params_tensor t join rafiki.blob b using (hash)
    where t.params_id = $1 order by t.name`;
  return on.query(sql, [paramsId]);
}

export function selectBlobs(on: Queryable, hashes: readonly Buffer[]): Promise<{ hash: Buffer; data: Buffer }[]> {
  return on.query('select hash, data from rafiki.blob where hash = any($1)', [hashes]);
}

/**
 * Parameter sets that nothing names: no trial, no model. Those just saved are named soon, hence the grace; published
 * weights at once, so theirs is shorter.
 */
export async function deleteOrphanParams(on: Queryable, graceMs: number, publishedGraceMs: number): Promise<number> {
  const sql = `
    delete from rafiki.params p
    where p.created_at < now() - case p.kind when 'weights' then $2::float8 else $1 end * interval '1 ms'
      and not exists (select from rafiki.trial t where t.checkpoint_id = p.id)
      and not exists (select from rafiki.trial t where t.params_id = p.id)
      and not exists (select from rafiki.trial t where t.published_id = p.id)
      and not exists (
        select from rafiki.trial_start s join rafiki.trial t on t.id = s.trial_id
        where s.params_id = p.id and t.ended_at is null)
      and not exists (select from rafiki.model_member m where m.params_id = p.id)
    returning p.id`;
  return (await on.query(sql, [graceMs, publishedGraceMs])).length;
}

export async function deleteOrphanBlobs(on: Queryable, graceMs: number): Promise<number> {
  const sql = `
    delete from rafiki.blob b
    where b.created_at < now() - $1 * interval '1 ms'
      and not exists (select from rafiki.params_tensor t where t.hash = b.hash)
    returning b.hash`;
  return (await on.query(sql, [graceMs])).length;
}
