import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bestSoFar,
  emptyHistory,
  firstOpen,
  kinOf,
  mergeHistory,
  type TrialColumns,
  timelineOf,
} from '../../../src/dashboard/state/trial-history.ts';
import type { HistoryAnswer } from '../../../src/http/charts/history.ts';

const states = ['waiting', 'running', 'completed'];

interface Made {
  trial: number;
  score?: number | null;
  began?: number | null;
  ended?: number | null;
  parent?: number | null;
  refits?: number | null;
  worker?: number | null;
  family?: string;
}

function answer(trials: readonly Made[]): HistoryAnswer {
  const families = [...new Set(trials.map(({ family = 'a' }) => family))].sort();
  return {
    states,
    families,
    trial: trials.map(({ trial }) => trial),
    family: trials.map(({ family = 'a' }) => families.indexOf(family)),
    state: trials.map(({ ended }) => (ended == null ? 1 : 2)),
    score: trials.map(({ score = null }) => score),
    epoch: trials.map(() => 1),
    epochs: trials.map(() => 2),
    began_s: trials.map(({ began = null }) => began),
    ended_s: trials.map(({ ended = null }) => ended),
    parent: trials.map(({ parent = null }) => parent),
    refits: trials.map(({ refits = null }) => refits),
    worker: trials.map(({ worker = null }) => worker),
  };
}

const history = (...trials: Made[]): TrialColumns => mergeHistory(emptyHistory, answer(trials), 0);

test('trials from the first open one on are replaced, and families keep their names', () => {
  const before = history({ trial: 1, ended: 3, family: 'b' }, { trial: 2, family: 'b' });
  expect(firstOpen(before)).toBe(2);
  const after = mergeHistory(
    before,
    answer([
      { trial: 2, ended: 4, family: 'b' },
      { trial: 3, family: 'a' },
    ]),
    2,
  );
  expect([after.trial, after.family, after.endedS]).toEqual([
    [1, 2, 3],
    ['b', 'b', 'a'],
    [3, 4, null],
  ]);
  expect(firstOpen(after)).toBe(3);
  expect(firstOpen(history({ trial: 7, ended: 1 }))).toBe(8);
  expect(firstOpen(emptyHistory)).toBe(0);
});

test('merged piece by piece, a history is what it is at once', () => {
  const trials = fc.array(fc.record({ score: fc.option(fc.double({ min: 0, max: 1, noNaN: true })) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(trials, fc.array(fc.nat(30), { maxLength: 5 }), (made, cuts) => {
      const all = made.map((each, i) => ({ ...each, trial: i + 1, ended: 1 }));
      let merged = emptyHistory;
      for (const cut of [...cuts.sort((a, b) => a - b), all.length]) {
        const from = firstOpen(merged);
        merged = mergeHistory(merged, answer(all.filter(({ trial }) => trial >= from && trial <= cut)), from);
      }
      expect(merged).toEqual(all.length === 0 ? merged : history(...all));
    }),
  );
});

test('the best so far is a running maximum of scores, without those of trials that train again', () => {
  const made = history(
    { trial: 1 },
    { trial: 2, score: 0.5 },
    { trial: 3, score: 0.4 },
    { trial: 4, score: 0.9 },
    { trial: 5, refits: 4 },
  );
  expect(bestSoFar(made)).toEqual({ trial: [1, 2, 3, 4], score: [null, 0.5, 0.4, 0.9], best: [null, 0.5, 0.5, 0.9] });
});

test("kin of a trial are its ancestors and descendants, not its parent's other children", () => {
  const made = history(
    { trial: 1 },
    { trial: 2, parent: 1 },
    { trial: 3, parent: 1 },
    { trial: 4, parent: 2 },
    { trial: 5, refits: 4 },
  );
  expect([...kinOf(made, 2)].sort()).toEqual([1, 2, 4, 5]);
  expect([...kinOf(made, 5)].sort()).toEqual([1, 2, 4, 5]);
  expect([...kinOf(made, 3)].sort()).toEqual([1, 3]);
});

test('bars of a lane do not overlap, and trials without a worker share lanes', () => {
  const made = history(
    { trial: 1, began: 0, ended: 5, worker: 9 },
    { trial: 2, began: 1, ended: 4, worker: 8 },
    { trial: 3, began: 5, worker: 9 },
    { trial: 4, began: 2, ended: 3 },
    { trial: 5, began: 3, ended: 6 },
    { trial: 6 },
  );
  const { workers, bars, endS } = timelineOf(made, 10);
  expect(workers).toEqual([9, 8, null]);
  expect(endS).toBe(10);
  expect(bars.map(({ trial, lane, toS }) => [trial, lane, toS])).toEqual([
    [1, 0, 5],
    [2, 1, 4],
    [4, 2, 3],
    [5, 2, 6],
    [3, 0, 10],
  ]);
});
