import type { Queryable } from '../database.ts';

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

/** Larger values are read in parts of this size. */
export const PART_BYTES = 4 * 2 ** 20;

/** A stored tensor: its bytes, if they are few, or the object in S3 that has them. */
export type StoredBlob = { hash: Buffer; bytes: number } & (
  | { data: Buffer | null; objectId: null }
  | { data: null; objectId: string }
);

/** A tensor that is to be stored. */
interface NewBlob {
  hash: Buffer;
  /** Null: in S3, as the object. */
  data: Buffer | null;
  objectId: string | null;
}

export async function insertBlob(on: Queryable, { hash, data, objectId }: NewBlob): Promise<void> {
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

/** Of a row of rafiki.blob, b. */
const storedBlob = `b.hash, coalesce(octet_length(b.data), 0) as bytes, b.object_id as "objectId",
      case when octet_length(b.data) <= ${PART_BYTES} then b.data end as data`;

export function selectTensors(on: Queryable, paramsId: number): Promise<(StoredBlob & { name: string })[]> {
  const sql = `
    select t.name, ${storedBlob} from rafiki.params_tensor t join rafiki.blob b using (hash)
    where t.params_id = $1 order by t.name`;
  return on.query(sql, [paramsId]);
}

export function selectBlobs(on: Queryable, hashes: readonly Buffer[]): Promise<StoredBlob[]> {
  return on.query(`select ${storedBlob} from rafiki.blob b where b.hash = any($1)`, [hashes]);
}

/** So many bytes of a stored tensor from a place on; undefined if it is no longer there. */
export async function selectBlobPart(
  on: Queryable,
  { hash, from, bytes }: { hash: Buffer; from: number; bytes: number },
): Promise<Buffer | undefined> {
  const sql = 'select substr(data, $2, $3) as data from rafiki.blob where hash = $1';
  const [row] = await on.query<{ data: Buffer | null }>(sql, [hash, from + 1, bytes]);
  return row?.data ?? undefined;
}

/** Deleted in one statement: this many, and not many more bytes. */
const ORPHANS = 256;
const ORPHAN_BYTES = 2 ** 30;

/** Deletes some of the blobs that no set of parameters has; returns their number, which is 0 if none is left. */
export async function deleteOrphanBlobs(on: Queryable, graceMs: number): Promise<number> {
  const sql = `
    with orphan as (
      select b.hash, coalesce(octet_length(b.data), 0) as bytes from rafiki.blob b
      where b.created_at < now() - $1 * interval '1 ms'
        and not exists (select from rafiki.params_tensor t where t.hash = b.hash)
      limit ${ORPHANS} for update skip locked
    ), counted as (
      select hash, sum(bytes) over (order by hash) - bytes as before from orphan
    ), deleted as (
      delete from rafiki.blob b using counted c where b.hash = c.hash and c.before < ${ORPHAN_BYTES}
      returning b.hash, b.object_id
    ), released as (
      update rafiki.object o set released = true from deleted where o.id = deleted.object_id
    )
    select hash from deleted`;
  return (await on.query(sql, [graceMs])).length;
}

/** What tells this database from others, its restored copies among them. */
export async function selectHome(on: Queryable): Promise<string> {
  const [row] = await on.query<{ home: string }>('select rafiki._home() as home');
  return row!.home;
}
