import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** A table with rows that wait for their predictions, and the function that fills them. */
export interface WaitingAttachment {
  id: number;
  /** Oid of the table's owner, with whose rights it is filled. */
  owner: number;
  reader: string;
}

/**
 * Deletes the marks of transactions that have ended, whose rows are now visible, and sets since when their attachments wait. Keeps those
 * of attachments in `busy`, because the current scan may have passed their rows, and those that another session has locked.
 */
export async function consumeMarks(on: Queryable, busy: readonly number[]): Promise<void> {
  const sql = `
    with locked as (
      select a.id from rafiki.attachment a
      where a.retry_at <= now() and a.id <> all ($1::int8[])
        and exists (select from rafiki.attachment_mark m where m.attachment_id = a.id)
      for no key update skip locked
    ), free as (
      select m.ctid, m.attachment_id, m.since from rafiki.attachment_mark m join locked h on h.id = m.attachment_id
      for update of m skip locked
    ), taken as (delete from rafiki.attachment_mark m using free f where m.ctid = f.ctid)
    update rafiki.attachment a set waiting_since = least(a.waiting_since, f.since)
    from (select attachment_id, min(since) as since from free group by attachment_id) f where a.id = f.attachment_id`;
  await on.query(sql, [busy]);
}

/** Attachments that can be filled now, the longest waiting first; none of an owner in `busy`. */
export function selectWaiting(on: Queryable, busy: readonly number[]): Promise<WaitingAttachment[]> {
  const sql = `
    select a.id, c.relowner::int8 as owner, a.reader::text as reader
    from rafiki.attachment a join pg_class c on c.oid = a.target
    where a.waiting_since is not null and a.retry_at <= now() and c.relowner::int8 <> all ($1::int8[])
    order by a.retry_at, a.id limit 100`;
  return on.query(sql, [busy]);
}

/** Those of the attachments that were not detached. */
export async function selectAttached(on: Queryable, ids: readonly number[]): Promise<number[]> {
  const rows = await on.query<{ id: number }>('select id from rafiki.attachment where id = any($1::int8[])', [ids]);
  return rows.map(({ id }) => id);
}

/** The result of a call of the filling function. */
export interface Fill {
  filled: number;
  /** Number of rows that still wait; null if they were not counted. */
  remaining: number | null;
  /** `relation` is the number of the table's file, which a rewritten table does not keep. */
  unanswered: readonly { relation: number; place: string; version: string; error: ErrorReport }[];
}

/** Maximum of stored rows without an answer for each attachment; the oldest are deleted, and are then tried again. */
const MAX_UNANSWERED = 10_000;

export async function recordFill(on: Queryable, id: number, { filled, remaining, unanswered }: Fill): Promise<void> {
  const sql = `
    update rafiki.attachment set filled = filled + $2, filled_at = case when $2 > 0 then now() else filled_at end,
      to_come = greatest(0, coalesce($3, to_come) - $2)
    where id = $1`;
  await on.query(sql, [id, filled, remaining]);
  if (unanswered.length === 0) return;
  const insert = `
    insert into rafiki.unanswered (attachment_id, relation, place, version, error)
    select a.id, u.relation::oid, u.place::tid, u.version::xid, u.error
    from rafiki.attachment a, jsonb_to_recordset($2::jsonb) as u (relation int8, place text, version text, error jsonb)
    where a.id = $1
    on conflict (attachment_id, relation, place) do update set version = excluded.version, error = excluded.error, noted_at = now()`;
  await on.query(insert, [id, JSON.stringify(unanswered)]);
  const bound = `
    delete from rafiki.unanswered where attachment_id = $1 and (relation, place) in (
      select u.relation, u.place from rafiki.unanswered u where u.attachment_id = $1 order by u.noted_at desc offset $2)`;
  await on.query(bound, [id, MAX_UNANSWERED]);
}

/** The whole table was scanned: no row without a mark waits. The next scan begins after `pauseMs` at the earliest. */
export async function endFill(on: Queryable, id: number, pauseMs: number): Promise<void> {
  const sql = `
    update rafiki.attachment set waiting_since = null, to_come = 0, error = null, failures = 0,
      retry_at = now() + $2 * interval '1 ms'
    where id = $1`;
  await on.query(sql, [id, pauseMs]);
}

/** Continues after the other waiting attachments. */
export async function yieldFill(on: Queryable, id: number): Promise<void> {
  await on.query('update rafiki.attachment set retry_at = now() where id = $1', [id]);
}

/** Limit of the pause, because a missing right may be granted again. */
const MAX_PAUSE_MS = 60_000;

/** Rows remain: stores the error, if any, and when to try again. With `grows` the pause doubles with each failure. */
export async function retryFill(
  on: Queryable,
  id: number,
  { error, pauseMs, grows }: { error: ErrorReport | null; pauseMs: number; grows: boolean },
): Promise<void> {
  const sql = `
    update rafiki.attachment set error = $2::jsonb, failures = case when $4 then failures + 1 else 0 end,
      retry_at = now() + least($3::float8 * 2 ^ case when $4 then least(failures, 10) else 0 end, $5) * interval '1 ms'
    where id = $1`;
  await on.query(sql, [id, error === null ? null : JSON.stringify(error), pauseMs, grows, MAX_PAUSE_MS]);
}
