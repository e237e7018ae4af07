import type { StudyAnswer } from '../../http/routes/studies.ts';

/** Studies of a page of the list, and of an event. */
export const STUDY_PAGE = 100;

/** The list with its newest studies as an event has them; what they have pushed out of the event stays. */
export function withNewest(before: readonly StudyAnswer[], newest: readonly StudyAnswer[]): StudyAnswer[] {
  if (newest.length < STUDY_PAGE) return [...newest];
  const oldest = newest.at(-1)?.study ?? 0;
  return [...newest, ...before.filter(({ study }) => study < oldest)];
}

/** The list with a page of older studies: studies that were created meanwhile have moved it, so that it begins with some that are known. */
export function withOlder(before: readonly StudyAnswer[], older: readonly StudyAnswer[]): StudyAnswer[] {
  const oldest = before.at(-1)?.study ?? Number.POSITIVE_INFINITY;
  return [...before, ...older.filter(({ study }) => study < oldest)];
}
