import { expect, test } from 'vitest';
import { StudyTurns, TURN_MS } from '../../../src/coordinator/advance-studies.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { newStudy } from './study-rows.ts';

/** Owners of the studies 1, 2, … */
const studiesOf = (owners: readonly number[]) => owners.map((owner, i) => newStudy({ id: i + 1, owner }));

/** The studies of a tick in which each takes so long. */
function tick(turns: StudyTurns, clock: ManualClock, owners: readonly number[], ms: number): number[] {
  const taken: number[] = [];
  for (const { id } of turns.take(studiesOf(owners))) {
    taken.push(id);
    clock.advance(ms);
  }
  return taken;
}

test('roles have turns, however many studies one has', () => {
  const clock = new ManualClock();
  expect(tick(new StudyTurns(clock), clock, [1, 1, 1, 2, 3, 3], 0)).toEqual([1, 4, 5, 2, 6, 3]);
});

test('a tick ends after its time, and the next one goes on where it was', () => {
  const clock = new ManualClock();
  const turns = new StudyTurns(clock);
  const owners = [1, 1, 1, 1, 2];
  const next = (): number[] => tick(turns, clock, owners, TURN_MS / 2);
  expect([next(), next(), next()]).toEqual([
    [1, 5],
    [2, 5],
    [3, 5],
  ]);
  expect(tick(turns, clock, owners, 10 * TURN_MS)).toEqual([4]); // one at least
  expect(tick(turns, clock, [1, 2, 3, 4], 10 * TURN_MS)).toEqual([1]);
  expect(tick(turns, clock, [1, 2, 3, 4], TURN_MS / 2)).toEqual([2, 3]);
});
