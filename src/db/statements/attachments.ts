import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** A table of which rows wait for their predictions, and the function that fills them. */
export interface WaitingAttachment {
  id: number;
  /** The oid of the role that owns the table, as whom it is filled. */
  owner: number;
  reader: string;
}

/**
 * Takes the marks of transactions that have ended, whose rows can be seen from now on. Those of attachments in `busy` stay: a look that is
 * under way may have passed their rows. So do those that somebody holds.
 */
export async function takeMarks(on: Queryable, busy: readonly number[]): Promise<void> {
  const sql = `
    with held as (
      select a.id from rafiki.attachment a
      where a.retry_at <= now() and a.id <> all ($1::int8[])
        and exists (select from rafiki.attachment_mark m where m.attachment_id = a.id)
      for no key update skip locked
    ), free as (
      select m.ctid, m.attachment_id, m.since from rafiki.attachment_mark m join held h on h.id = m.attachment_id
      for update of m skip locked
    ), taken as (delete from rafiki.attachment_mark m using free f where m.ctid = f.ctid)
    update rafiki.attachment a set waiting_since = least(a.waiting_since, f.since)
    from (select attachment_id, min(since) as since from free group by attachment_id) f where a.id = f.attachment_id`;
  await on.query(sql, [busy]);
}

/** Those that can be filled now, the longest waiting first; none of an owner in `busy`. */
export function selectWaiting(on: Queryable, busy: readonly number[]): Promise<WaitingAttachment[]> {
  const sql = `
    select a.id, c.relowner::int8 as owner, a.reader::text as reader
    from rafiki.attachment a join pg_class c on c.oid = a.target
    where a.waiting_since is not null and a.retry_at <= now() and c.relowner::int8 <> all ($1::int8[])
    order by a.retry_at, a.id limit 100`;
  return on.query(sql, [busy]);
}

/** What a call of the filling function did. */
export interface Fill {
  filled: number;
  /** Where they were counted. */
  toCome: number | null;
  unanswered: readonly { relation: number; place: string; version: string; error: ErrorReport }[];
}

/** Rows that are known to have no answer; beyond these the oldest are asked again one day. */
const MAX_UNANSWERED = 10_000;

export async function noteFill(on: Queryable, id: number, { filled, toCome, unanswered }: Fill): Promise<void> {
  const sql = `
    update rafiki.attachment set filled = filled + $2, filled_at = case when $2 > 0 then now() else filled_at end,
      to_come = greatest(0, coalesce($3, to_come) - $2)
    where id = $1`;
  await on.query(sql, [id, filled, toCome]);
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

/** All of the table was looked at: nothing waits that no mark tells of. The next look is not before `pauseMs`. */
export async function endFill(on: Queryable, id: number, pauseMs: number): Promise<void> {
  const sql = `
    update rafiki.attachment set waiting_since = null, to_come = 0, error = null, failures = 0,
      retry_at = now() + $2 * interval '1 ms'
    where id = $1`;
  await on.query(sql, [id, pauseMs]);
}

/** It goes on when those that wait have had their turns. */
export async function yieldFill(on: Queryable, id: number): Promise<void> {
  await on.query('update rafiki.attachment set retry_at = now() where id = $1', [id]);
}

/** A right may have come back meanwhile. */
const MAX_PAUSE_MS = 60_000;

/** Rows are left: what kept them from being filled, if anything did, and when it is tried again. The pause doubles each time that it grows. */
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
