import type { InputColumn } from '../../domain/table.ts';
import { AuthenticationFailed, InvalidState, UndefinedObject } from '../../errors/errors.ts';
import type { Queryable } from '../database.ts';

/** How a study's source is read: with a function that belongs to its owner, in a session that may call only this one. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is skipped. */
  onBadRow: 'error' | 'skip';
  reader: string;
  /** What a task of several columns reads; empty for the others. */
  columns: InputColumn[];
}

export async function selectReading(on: Queryable, studyId: number): Promise<Reading> {
  const sql = `
    select s.on_bad_row as "onBadRow", s.reader::text as reader,
      (select coalesce(jsonb_agg(jsonb_build_object('name', c.name, 'kind', c.kind) order by c.nth) filter (where c.kind is not null), '[]')
       from rows from (unnest(s.features), unnest(s.kinds)) with ordinality c (name, kind, nth)) as columns
    from rafiki.study s
    where s.id = $1 and s.reader is not null`;
  const [found] = await on.query<Reading>(sql, [studyId]);
  if (found !== undefined) return found;
  throw new UndefinedObject(`study ${studyId} has no function that reads its source`, {
    detail: 'It has ended, or it was created by an earlier version.',
    hint: 'Train again.',
  });
}

/** What a session is for: reading a study's source, filling the table of an attachment, or the calls of a token. */
export interface Purpose {
  of: 'study' | 'attachment' | 'token';
  id: number;
}

/** For each purpose the row with the function and its owner, and the error if the function may not be called. */
const purposes = {
  study: {
    row: 'select ticket, reader, owner from rafiki.study where id = $2',
    refusal: () =>
      new InvalidState('the function that reads the source of the study belongs to another role than the study', {
        detail:
          'It would read with that role’s rights. REASSIGN OWNED and ALTER FUNCTION change the owner of a function.',
        hint: 'Train again.',
      }),
  },
  attachment: {
    row: `
      select a.ticket, a.reader, a.owner from rafiki.attachment a join pg_class c on c.oid = a.target and c.relowner = a.owner
      where a.id = $2`,
    refusal: () =>
      new InvalidState('the table has another owner now', {
        detail:
          'It, or the function that fills it with its owner’s rights, belongs to another role than when it was attached.',
        hint: 'Attach the model again, as the owner of the table: rafiki_attach.',
      }),
  },
  token: {
    row: 'select ticket, reader, owner from rafiki.token where id = $2',
    refusal: () =>
      new AuthenticationFailed('the token is not valid', {
        detail: 'It has expired, or was revoked.',
        hint: 'Create another: select rafiki_create_token(…);',
      }),
  },
};

/** A session that may call the function with that ticket. */
export interface Admission {
  pid: number;
  ticket: string;
}

/**
 * Allows the session with that backend to call only the function for the purpose; to be called before its transaction begins. The
 * function runs with its owner's rights, and the owner must be the role that trained or attached: REASSIGN OWNED, or a new owner of the
 * table, may have changed it.
 */
export async function admitReader(on: Queryable, pid: number, { of, id }: Purpose): Promise<Admission> {
  const { row, refusal } = purposes[of];
  const sql = `
    insert into rafiki.reading (pid, ticket)
    select $1, origin.ticket
    from (${row}) origin
    join pg_proc p on p.proname = origin.reader::text and p.proowner = origin.owner and p.pronamespace = 'rafiki_reader'::regnamespace
    on conflict (pid) do update set ticket = excluded.ticket
    returning pid, ticket`;
  const [admission] = await on.query<Admission>(sql, [pid, id]);
  if (admission === undefined) throw refusal();
  return admission;
}

/**
 * Ends it, unless another session has got the pid meanwhile, and is admitted to something else. If a killed process leaves one, the next
 * session with this pid replaces it.
 */
export async function endReading(on: Queryable, { pid, ticket }: Admission): Promise<void> {
  await on.query('delete from rafiki.reading where pid = $1 and ticket = $2', [pid, ticket]);
}

/** The studies whose data may still be needed. */
export function selectOpenStudyKeys(on: Queryable): Promise<{ id: number; createdAt: string }[]> {
  const sql = `
    select id, extract(epoch from created_at)::text as "createdAt"
    from rafiki.study where state in ('queued', 'running')`;
  return on.query(sql);
}

/** Drops the functions that read the sources of ended studies; returns their number. */
export async function dropReaders(on: Queryable): Promise<number> {
  const [row] = await on.query<{ dropped: number }>('select rafiki._drop_readers() as dropped');
  return row?.dropped ?? 0;
}
