import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { type AnsweringRule, type AnswerParts, classParts, numberParts } from '../../../src/explain/ensemble.ts';
import type { ScoreParts } from '../../../src/explain/member.ts';

const member = (start: readonly number[], added: readonly (readonly number[])[]): ScoreParts => ({
  start: Float64Array.from(start),
  added: added.map((own) => Float64Array.from(own)),
});

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** The log odds of the mean of probabilities, plainly. */
function logOdds(members: readonly (readonly number[])[], about: number): number {
  const shares = members.map((scores) => Math.exp(scores[about] as number) / sum(scores.map(Math.exp)));
  const mean = sum(shares) / shares.length;
  return Math.log(mean / (1 - mean));
}

const scores = (parts: ScoreParts): number[] =>
  Array.from(parts.start, (start, s) => start + sum(parts.added[s] ?? []));

const arbitraryMember = (classes: number, parts: number) => {
  const number = fc.double({ min: -4, max: 4, noNaN: true });
  return fc
    .tuple(
      fc.array(number, { minLength: classes, maxLength: classes }),
      fc.array(fc.array(number, { minLength: parts, maxLength: parts }), { minLength: classes, maxLength: classes }),
    )
    .map(([start, added]) => member(start, added));
};

/** The members count the same. */
const equally = (count: number): AnsweringRule => ({ rule: 'vote', members: Array(count).fill(unweighted(0.5)) });
const equal = (members: readonly ScoreParts[], about: number): AnswerParts =>
  classParts(members, about, equally(members.length));

describe('log odds of an ensemble', () => {
  it('of one member and two classes are the difference of its scores, part by part', () => {
    const only = member(
      [0, -1],
      [
        [0, 0, 0],
        [2, -0.5, 1],
      ],
    );
    const parts = equal([only], 1);
    expect(parts).toMatchObject({ about: 1, base: -1, score: 1.5 });
    for (const [i, value] of [2, -0.5, 1].entries()) expect(parts.added[i]).toBeCloseTo(value, 12);
    for (const [i, value] of [-2, 0.5, -1].entries()) expect(equal([only], 0).added[i]).toBeCloseTo(value, 12);
  });

  it('are those of the mean of the probabilities, and the parts add up to them', () => {
    const given = fc
      .integer({ min: 2, max: 4 })
      .chain((classes) =>
        fc.tuple(
          fc.array(arbitraryMember(classes, 3), { minLength: 1, maxLength: 4 }),
          fc.integer({ min: 0, max: classes - 1 }),
        ),
      );
    fc.assert(
      fc.property(given, ([members, about]) => {
        const { score, base, added } = equal(members, about);
        expect(score).toBeCloseTo(logOdds(members.map(scores), about), 8);
        expect(base).toBeCloseTo(
          logOdds(
            members.map(({ start }) => [...start]),
            about,
          ),
          8,
        );
        expect(base + sum(added)).toBeCloseTo(score, 8);
      }),
      { numRuns: 200 },
    );
  });

  it('give a part nothing that no member gives anything, and members that agree what one gives', () => {
    const given = member(
      [0.2, 0, -1],
      [
        [1, 0, 2],
        [0, 0, -1],
        [-1, 0, 0.5],
      ],
    );
    const one = equal([given], 0);
    expect(one.added[1]).toBe(0);
    const three = equal([given, given, given], 0);
    for (const [i, value] of one.added.entries()) expect(three.added[i]).toBeCloseTo(value, 10);
  });

  it('are of the class that most members vote for, unless one is named', () => {
    const votes = (label: number): ScoreParts =>
      member(
        [0, 1, 2].map((c) => Number(c === label)),
        [[0], [0], [0]],
      );
    expect(equal([votes(2), votes(1), votes(1)], -1).about).toBe(1);
    expect(equal([votes(2), votes(1)], -1).about).toBe(2);
    expect(equal([votes(2), votes(1)], 0).about).toBe(0);
  });

  it('are of the most probable class of very many, in a moment', () => {
    const scores = Array.from({ length: 20_000 }, (_, c) => ((c * 7919) % 20_011) / 2000);
    expect(equal([member(scores, [])], -1).about).toBe(scores.indexOf(Math.max(...scores)));
  });

  it('are those of calibrated probabilities with the weights of the ensemble', () => {
    const members = [member([0.2, 0], [[1], [-1]]), member([0, 0.5], [[-2], [3]])];
    const together: AnsweringRule = {
      rule: 'weighted',
      members: [
        { score: 0.9, weight: 0.75, temperature: 2 },
        { score: 0.8, weight: 0.25, temperature: 0.5 },
      ],
    };
    const { about, score, base, added } = classParts(members, -1, together);
    const share = (odds: number): number => 1 / (1 + Math.exp(-odds));
    const mean = 0.75 * share(2.2 / 2) + 0.25 * share(-5.5 / 0.5);
    expect(about).toBe(mean > 0.5 ? 0 : 1);
    const expected = Math.log(mean / (1 - mean));
    expect(score).toBeCloseTo(about === 0 ? expected : -expected, 8);
    expect(base + sum(added)).toBeCloseTo(score, 8);
  });

  it('are finite for certain members', () => {
    const { score, added, base } = equal(
      [
        member(
          [0, 0],
          [
            [-400, 0],
            [900, 0],
          ],
        ),
      ],
      -1,
    );
    expect(Number.isFinite(score)).toBe(true);
    expect(base + sum(added)).toBeCloseTo(score, 6);
  });
});

it('the number of an ensemble is the mean by what the members leave unexplained', () => {
  const parts = numberParts([member([10], [[1, 2]]), member([20], [[5, -6]])], {
    ...{ rule: 'vote', members: [unweighted(0.9), unweighted(0.7)] },
  });
  expect(parts).toMatchObject({ about: -1 });
  expect(parts.base).toBeCloseTo(12.5, 12);
  expect(parts.added[0]).toBeCloseTo(2, 12);
  expect(parts.added[1]).toBeCloseTo(0, 12);
  expect(parts.score).toBeCloseTo(14.5, 12);
});
