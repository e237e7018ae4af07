import type { Queryable } from '../db/database.ts';
import { UndefinedObject } from '../errors/errors.ts';

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

/** Lets the session with that backend call the function of that ticket, and no other. Before its transaction begins. */
export async function admitReading(on: Queryable, pid: number, ticket: string): Promise<void> {
  const sql = `
    insert into rafiki.reading (pid, ticket) values ($1, $2) on conflict (pid) do update set ticket = excluded.ticket`;
  await on.query(sql, [pid, ticket]);
}

/** The session is over. A row that is left behind, by a worker that was killed, says nothing of the next session with that pid. */
export async function endReading(on: Queryable, pid: number): Promise<void> {
  await on.query('delete from rafiki.reading where pid = $1', [pid]);
}
