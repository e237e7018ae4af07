import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { regression } from '../../../src/domain/kinds/regression.ts';
import { BadData } from '../../../src/errors/errors.ts';

const noImage = { width: 0, height: 0 };
const read = (text: string): unknown => regression.readLabel(Buffer.from(text))(noImage);
const answersOf = (numbers: readonly number[]) => ({
  dtype: 'float32' as const,
  shape: [numbers.length, 1],
  data: Float32Array.from(numbers),
});
const scored = (answers: readonly number[], labels: readonly number[], metric: 'r2' | 'rmse' | 'mae' = 'r2') =>
  regression.score(answersOf(answers), Float64Array.from(labels), { classes: [], metric });

describe('a target', () => {
  it.each<[string, number]>([
    ['12', 12],
    ['-0.50', -0.5],
    ['1e-7', 1e-7],
    [' 3 ', 3],
    ['9007199254740993', 2 ** 53],
  ])('%j is the number %s', (text, number) => {
    expect(read(text)).toBe(number);
  });

  it.each(['', 'NaN', 'Infinity', '1e39', '1e200', '1e400', 'twelve', '1,5', '0x10', '1'.repeat(500)])(
    '%j is an error',
    (text) => {
      expect(() => read(text)).toThrow(BadData);
    },
  );
});

describe('the score of numbers', () => {
  const labels = [1, 2, 3, 6];

  it('is 1 if all are right, and 0 if a constant is as good, by each metric', () => {
    for (const metric of ['r2', 'rmse', 'mae'] as const) {
      expect(scored(labels, labels, metric).score).toBe(1);
      const constant = 3; // the mean, and the median
      expect(scored([constant, constant, constant, constant], labels, metric).score).toBe(0);
      expect(scored([99, -99, 99, -99], labels, metric).score).toBe(0);
    }
  });

  it('is of no metric of classes', () => {
    const options = { classes: [], metric: 'auc' as const };
    expect(() => regression.score(answersOf([1]), Float64Array.of(1), options)).toThrow(RangeError);
  });

  it('ranks epochs worse than a constant by their error', () => {
    const rank = (...answers: number[]): number => regression.rank(scored(answers, labels));
    expect(rank(1, 2, 3, 4)).toBeGreaterThan(rank(3, 3, 3, 3));
    expect(rank(3, 3, 3, 3)).toBeGreaterThan(rank(9, -9, 9, -9));
    expect(rank(9, -9, 9, -9)).toBeGreaterThan(rank(99, -99, 99, -99));
    expect(rank(99, -99, 99, -99)).toBeGreaterThan(rank(Number.NaN, 1, 1, 1));
  });

  it('comes with R², RMSE and MAE', () => {
    const { metrics, score } = scored([1, 2, 3, 4], labels);
    expect(metrics).toEqual({ r2: 1 - 4 / 14, rmse: 1, mae: 0.5 });
    expect(score).toBe(metrics['r2']);
    expect(scored([1, 2, 3, 4], labels, 'rmse').score).toBeCloseTo(1 - Math.sqrt(4 / 14));
    expect(scored([1, 2, 3, 4], labels, 'mae').score).toBeCloseTo(1 - 2 / 6);
  });

  it('is finite whatever the numbers are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.integer())), (rows) => {
        const [answers, actual] = [rows.map(([answer]) => answer), rows.map(([, label]) => label)];
        const { score } = scored(answers, actual);
        expect(score >= 0 && score <= 1).toBe(true);
      }),
    );
    expect(scored([5, 6], [5, 5]).score).toBe(0);
    expect(scored([5, 5], [5, 5]).score).toBe(1);
  });
});

it('targets are standardised', () => {
  const encoding = { shapes: {}, inputs: {}, smoothing: 0, target: { mean: 10, scale: 2 } };
  const { number } = regression.targets(Float64Array.of(10, 14, 8), Int32Array.of(1, 2), encoding);
  expect([number?.shape, [...(number?.data ?? [])]]).toEqual([
    [2, 1],
    [2, -1],
  ]);
});

describe('an answer', () => {
  const answer = (value: number): string =>
    regression
      .answers([], 'vote')
      .answer({ outputs: [Float32Array.of(value)], members: [unweighted(0.5)], rows: 1 }, 0);

  it('is the shortest text with the same number in single precision', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        expect(Math.fround(Number(answer(value)))).toBe(value === 0 ? Math.abs(value) : value);
      }),
    );
    expect([0.1, 12.5, 16777216, 1e10, 3.3e-20].map(answer)).toEqual([
      '0.1',
      '12.5',
      '16777216',
      '10000000000',
      '3.3e-20',
    ]);
  });

  it('has a number in its details', () => {
    const batch = { outputs: [Float32Array.of(1.1, 0.1)], members: [unweighted(0.5)], rows: 2 };
    expect(regression.answers([], 'vote').finding(batch, 1)).toEqual({ number: 0.1 });
  });
});

describe('an ensemble', () => {
  const labels = [1, 2, 3, 6];
  const [over, under] = [
    [2, 3, 4, 7],
    [0, 1, 2, 5],
  ];
  const ballots = (numbers: readonly number[], score: number) => ({ ballots: Float32Array.from(numbers), score });
  const truth = Float32Array.from(labels);

  it('answers the mean, each member weighed by the inverse of what it leaves unexplained', () => {
    const outputs = [Float32Array.of(0, 10), Float32Array.of(0, 20)];
    const answer = (scores: number[]): string =>
      regression.answers([], 'vote').answer({ outputs, members: scores.map(unweighted), rows: 2 }, 1);
    expect(answer([0.8, 0.8])).toBe('15');
    expect(answer([0.9, 0.8])).toBe(String(Math.fround((2 * 10 + 20) / 3).toPrecision(8)));
    expect(answer([1, 0.5])).toMatch(/^10.0000/);
    expect(answer([1, 1])).toBe('15');
  });

  it('is scored by its mean: as ballots, as stored, and as answers', () => {
    const members = [ballots(over, 0.5), ballots(under, 0.5)];
    expect(regression.scoreBallots(members, truth, { classes: 0 })).toBe(1);
    expect(regression.scoreBallots(members.slice(0, 1), truth, { classes: 0, metric: 'mae' })).toBeCloseTo(1 / 3);
    const stored = new Uint8Array(Float32Array.from(over).buffer).slice().buffer;
    expect(regression.readBallots(stored)).toEqual(regression.ballots(answersOf(over)));
    const given = [over, under].map((numbers) => ({ answers: answersOf(numbers), classes: [], ...unweighted(0.5) }));
    expect(regression.scoreEnsemble(given, Float64Array.from(labels), { classes: [], rule: 'vote' })).toBe(1);
    expect(regression.truth(Float64Array.from(labels))).toEqual(truth);
  });

  it('takes no classes for numbers', () => {
    const votes = [{ ballots: Uint16Array.of(1, 2, 3, 6), score: 1 }];
    expect(() => regression.scoreBallots(votes, truth, { classes: 0 })).toThrow(RangeError);
  });
});
