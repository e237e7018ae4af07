import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  belowWhole,
  bestOfFamilies,
  type Candidate,
  ensembleCandidates,
  subsetScores,
} from '../../../src/coordinator/ensemble.ts';
import { bestPart, MAX_GAP } from '../../../src/domain/ensembles/choose.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';
import type { MemberBallots } from '../../../src/domain/kinds/kind.ts';

const trial = (id: number, family: string, score: number, rows = 'same'): Candidate => ({
  id,
  family,
  score,
  validationHash: Buffer.from(rows),
});
/** Members with these votes, and the accuracy of some of them. */
const voting = (votes: readonly Uint16Array[]): MemberBallots[] => votes.map((ballots) => ({ ballots, score: 0.5 }));
const accuracyOn =
  (labels: Uint16Array) =>
  (members: readonly MemberBallots[]): number =>
    classification.scoreBallots(members, labels, { classes: 3 });
const ids = (trials: readonly Candidate[]): number[] => trials.map(({ id }) => id);

describe('the members of an ensemble', () => {
  test('are the best trials of different families, best first', () => {
    const trials = [
      trial(1, 'a', 0.8),
      trial(2, 'b', 0.79),
      trial(3, 'a', 0.81),
      trial(4, 'b', 0.77),
      trial(5, 'c', 0.8),
    ];
    expect(ids(bestOfFamilies(trials))).toEqual([3, 5, 2]);
  });

  test('are at most three', () => {
    expect(ids(bestOfFamilies(['a', 'b', 'c', 'd'].map((family, i) => trial(i, family, 0.8))))).toEqual([0, 1, 2]);
  });

  test('do not include a family far below the best', () => {
    expect(ids(bestOfFamilies([trial(1, 'a', 0.9), trial(2, 'b', 0.9 - MAX_GAP - 0.001)]))).toEqual([1]);
  });

  test("were all validated on the rows of the best, even if a family's best trial was not", () => {
    const trials = [trial(1, 'a', 0.9), trial(2, 'b', 0.89, 'other rows'), trial(3, 'b', 0.88)];
    expect(ids(bestOfFamilies(trials))).toEqual([1, 3]);
  });

  test('are none if no trial has a score', () => {
    expect(bestOfFamilies([])).toEqual([]);
  });
});

test('candidates are the best of each family, then further ones of it, three of a family and eight at most', () => {
  const trials = Array.from({ length: 12 }, (_, i) => trial(i, ['a', 'b', 'c', 'd'][i >> 2] ?? 'd', 0.9 - 0.001 * i));
  expect(ids(ensembleCandidates(trials))).toEqual([0, 1, 2, 4, 5, 6, 8, 9]);
  const many = Array.from({ length: 9 }, (_, i) => trial(i, 'a', 0.9)).concat(trial(9, 'z', 0.86));
  expect(ids(ensembleCandidates(many))).toEqual([0, 1, 2, 9]);
  expect(ids(ensembleCandidates([...many, trial(10, 'y', 0.8)]))).toEqual([0, 1, 2, 9]);
});

test('a part of a weighted ensemble never counts as better than the whole', () => {
  expect(belowWhole([0, 0.5, 0.9, 0.8, 0.95], 2)).toEqual([0, 0.5, 0.7999, 0.8, 0.7999]);
});

describe('the size of an ensemble', () => {
  test('is three if a majority of three scores better than the best alone', () => {
    const labels = Uint16Array.of(1, 1, 1, 1);
    const votes = [Uint16Array.of(1, 1, 1, 0), Uint16Array.of(1, 1, 0, 1), Uint16Array.of(1, 0, 1, 1)];
    expect(bestPart(voting(votes), accuracyOn(labels))).toEqual({ members: voting(votes), score: 1 });
  });

  test('never makes it worse than its best member', () => {
    const rows = fc.integer({ min: 1, max: 40 }).chain((count) => {
      const column = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: count, maxLength: count });
      return fc.tuple(column, fc.array(column, { minLength: 1, maxLength: 3 }));
    });
    fc.assert(
      fc.property(rows, ([labels, members]) => {
        const truth = Uint16Array.from(labels);
        const votes = voting(members.map((member) => Uint16Array.from(member)));
        const best = accuracyOn(truth)(votes.slice(0, 1));
        expect(bestPart(votes, accuracyOn(truth)).score).toBeGreaterThanOrEqual(best);
      }),
    );
  });
});

describe('the accuracy of subsets', () => {
  test('is counted for each by its bits: the best decides a pair, the majority three', () => {
    const labels = Uint16Array.of(1, 1, 1, 1);
    const votes = [Uint16Array.of(1, 1, 1, 0), Uint16Array.of(1, 1, 0, 0), Uint16Array.of(1, 0, 0, 1)];
    expect(subsetScores(voting(votes), accuracyOn(labels))).toEqual([0, 0.75, 0.5, 0.75, 0.5, 0.75, 0.5, 0.5]);
  });
});
