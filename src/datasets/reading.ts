import type { Queryable } from '../db/database.ts';
import { InvalidState, UndefinedObject } from '../errors/errors.ts';

/** Reads a study's source through a function that its owner created, in a session opened for that function only. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is left out. */
  onBadRow: 'error' | 'skip';
  reader: string;
  /** The hash of the ticket that proves the owner created it. */
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
 * Allows the session of that backend to call the function with that ticket, and no other. Called before its transaction
 * starts. The function runs with its owner's rights, which must be the study owner's: REASSIGN OWNED may have changed
 * its owner.
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
