import { InvalidState, UndefinedObject } from '../../errors/errors.ts';
import type { Queryable } from '../database.ts';

/** How a study's source is read: through a function that its owner made for it, in a session that was opened for that one. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is left out. */
  onBadRow: 'error' | 'skip';
  reader: string;
}

export async function selectReading(on: Queryable, studyId: number): Promise<Reading> {
  const sql = `
    select on_bad_row as "onBadRow", reader::text as reader from rafiki.study
    where id = $1 and reader is not null`;
  const [found] = await on.query<Reading>(sql, [studyId]);
  if (found !== undefined) return found;
  throw new UndefinedObject(`study ${studyId} has nothing to read its source with`, {
    detail: 'It has ended, or it was made by an earlier version.',
    hint: 'Train again.',
  });
}

/** What a session is opened for: to read a study's source, or to fill the table of an attachment. */
export interface Purpose {
  of: 'study' | 'attachment';
  id: number;
}

/** Whose function may be called, and why it may not where there is no such row. */
const purposes = {
  study: {
    row: 'select ticket, reader, owner from rafiki.study where id = $2',
    refusal: () =>
      new InvalidState('the function that reads the source of the study belongs to another role than the study', {
        detail: 'It would read with that role’s rights. REASSIGN OWNED and ALTER FUNCTION change whose it is.',
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
};

/**
 * Lets the session with that backend call the one function that was made for the purpose, and no other. Before its transaction begins. The
 * function works with its owner's rights, which have to be those of who trained or attached: REASSIGN OWNED, or a new owner of the
 * table, may have put another in its place.
 */
export async function admitReader(on: Queryable, pid: number, { of, id }: Purpose): Promise<void> {
  const { row, refusal } = purposes[of];
  const sql = `
    insert into rafiki.reading (pid, ticket)
    select $1, made.ticket
    from (${row}) made
    join pg_proc p on p.proname = made.reader::text and p.proowner = made.owner and p.pronamespace = 'rafiki_reader'::regnamespace
    on conflict (pid) do update set ticket = excluded.ticket
    returning pid`;
  if ((await on.query(sql, [pid, id])).length === 0) throw refusal();
}
