import type { Queryable } from '../db/database.ts';
import { InvalidState, UndefinedObject } from '../errors/errors.ts';

/** How a study's source is read: through a function that its owner made for it, in a session that was opened for that one. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is left out. */
  onBadRow: 'error' | 'skip';
  reader: string;
  /** The hash of what proved that the owner made it. */
  ticket: string;
}

export async function selectReading(on: Queryable, studyId: number): Promise<Reading> {
  const sql = `
    select on_bad_row as "onBadRow", reader::text as reader, ticket from rafiki.study
    where id = $1 and reader is not null`;
  const [found] = await on.query<Reading>(sql, [studyId]);
  if (found !== undefined) return found;
  throw new UndefinedObject(`study ${studyId} has nothing to read its source with`, {
    detail: 'It has ended, or it was made by an earlier version.',
    hint: 'Train again.',
  });
}

/**
 * Lets the session with that backend call the function of that ticket, and no other. Before its transaction begins. The function works
 * with its owner's rights, which have to be those of the study's: REASSIGN OWNED may have given it to somebody else.
 */
export async function admitReading(on: Queryable, pid: number, { reader, ticket }: Reading): Promise<void> {
  const sql = `
    insert into rafiki.reading (pid, ticket)
    select $1, s.ticket from rafiki.study s join pg_proc p on p.proname = s.reader::text and p.proowner = s.owner
    where s.ticket = $2 and s.reader = $3 and p.pronamespace = 'rafiki_reader'::regnamespace
    on conflict (pid) do update set ticket = excluded.ticket
    returning pid`;
  if ((await on.query(sql, [pid, ticket, reader])).length > 0) return;
  throw new InvalidState('the function that reads the source of the study belongs to another role than the study', {
    detail: 'It would read with that role’s rights. REASSIGN OWNED and ALTER FUNCTION change whose it is.',
    hint: 'Train again.',
  });
}
