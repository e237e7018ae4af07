import type { Queryable } from '../db/database.ts';
import { UndefinedObject } from '../errors/errors.ts';

/** How a study's source is read: through a function that its owner made for it, which asks for a ticket. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is left out. */
  onBadRow: 'error' | 'skip';
  reader: string;
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
