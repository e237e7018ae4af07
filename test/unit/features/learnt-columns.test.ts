import { describe, expect, test } from 'vitest';
import type { TableRow } from '../../../src/domain/table.ts';
import { columnTargets, FOLDS, type Truth } from '../../../src/features/columns/column-targets.ts';
import { fitPlain, type PlainFeature, plainFeatures } from '../../../src/features/columns/plain.ts';
import { createDenseEncoder, fitDense } from '../../../src/features/dense.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { tableRows } from './table-rows.ts';

const columns = [{ name: 'x', kind: 'text' }];
const rowsOf = (values: readonly (string | null)[]): TableRow[] =>
  tableRows(
    columns,
    values.map((x) => JSON.stringify({ x })),
  );
const classes = ['no', 'yes'];

/** The column's features but for its category: of rows that are trained on, and of the same rows as a server sees them. */
function featuresOf(values: readonly (string | null)[], truth: Truth): Record<'trained' | 'served', PlainFeature[]> {
  const inputs = rowsOf(values);
  const features = { encoder: 'plain', classes: [...truth.classes], state: fitPlain(inputs, truth) };
  return {
    trained: plainFeatures(features, inputs, truth).slice(1),
    served: plainFeatures(
      features,
      values.map((x) => JSON.stringify({ x })),
    ).slice(1),
  };
}

const correlation = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const [xs, ys] = [Array.from(a), Array.from(b)];
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value / values.length, 0);
  const [mx, my] = [mean(xs), mean(ys)];
  const product = (u: number[], mu: number, v: number[], mv: number): number =>
    u.reduce((sum, value, i) => sum + (value - mu) * ((v[i] as number) - mv), 0);
  return product(xs, mx, ys, my) / Math.sqrt(product(xs, mx, xs, mx) * product(ys, my, ys, my));
};

describe('target statistics', () => {
  const rng = createRng(4);
  const rows = 2000;
  const values = Array.from({ length: rows }, () => `city ${rng.below(600)}`);
  const noise = Int32Array.from({ length: rows }, () => rng.below(2));
  const told = Int32Array.from(values, (value) => Number(value.slice(5)) % 2);

  test('are what rows of a value answer, drawn to the mean of all', () => {
    const few = ['a', 'a', 'b', 'b', 'c', 'c', ...Array.from({ length: 300 }, (_, i) => `rare ${i}`)];
    const labels = Int32Array.from(few, (_, i) => Number(i < 2 || i % 3 === 0));
    const { served } = featuresOf(few, { labels, classes });
    const mean = labels.reduce((sum, label) => sum + label, 0) / labels.length;
    expect(served).toHaveLength(1);
    expect(served[0]?.values[0]).toBeCloseTo((2 + 10 * mean) / 12, 5);
    expect(served[0]?.values[10]).toBeCloseTo(mean, 5); // seen once: nothing is known of it
  });

  test('tell nothing of the rows that they are made of', () => {
    const { trained, served } = featuresOf(values, { labels: noise, classes });
    // three rows of each city: what is known of all of them tells each one's answer, what the others answer does not
    expect(correlation(served[0]?.values ?? [], noise)).toBeGreaterThan(0.4);
    expect(Math.abs(correlation(trained[0]?.values ?? [], noise))).toBeLessThan(0.1);
  });

  test('tell what is true of a value', () => {
    const { trained } = featuresOf(values, { labels: told, classes });
    expect(correlation(trained[0]?.values ?? [], told)).toBeGreaterThan(0.7);
  });

  test('are one for each class if there are more than two, and one for a number', () => {
    const three = { labels: told.map((label, i) => label + Number(i % 3 === 0)), classes: ['a', 'b', 'c'] };
    expect(featuresOf(values, three).served).toHaveLength(3);
    const numbers = { labels: Float64Array.from(told, (label) => 1e6 + label), classes: [] };
    const { served, trained } = featuresOf(values, numbers);
    expect(served).toHaveLength(1);
    expect(correlation(trained[0]?.values ?? [], told)).toBeGreaterThan(0.7);
  });

  test('of many classes are those of the frequent ones, and of all others', () => {
    const many = Array.from({ length: 300 }, (_, i) => `class ${i}`);
    const labels = Int32Array.from(values, () => Math.floor(300 * rng.uniform() ** 3));
    expect(featuresOf(values, { labels, classes: many }).served).toHaveLength(12);
  });

  test('are missing for NULL, and of a value that was never seen the mean', () => {
    const inputs = rowsOf(values);
    const state = fitPlain(inputs, { labels: told, classes });
    const features = { encoder: 'plain', classes, state };
    const [, statistic] = plainFeatures(features, ['{"x":null}', '{"x":"elsewhere"}']);
    expect(statistic?.values[0]).toBeNaN();
    expect(statistic?.values[1]).toBeCloseTo(told.reduce((sum, label) => sum + label, 0) / rows, 5);
  });

  test('are not needed where few values are frequent', () => {
    const few = values.map((_, i) => ['red', 'green', 'blue'][i % 3] as string);
    expect(featuresOf(few, { labels: told, classes }).served).toEqual([]);
  });

  test('have a bounded state for a category of 100,000 values', () => {
    const many = Array.from({ length: 200_000 }, (_, i) => `value ${i % 100_000}`);
    const labels = Int32Array.from(many, (_, i) => i % 2);
    const state = fitPlain(rowsOf(many), { labels, classes });
    const [column] = state['columns'] as { state: { statistics: { values: string[] } } }[];
    expect(column?.state.statistics.values).toHaveLength(20_000);
  });
});

describe('words of longer texts', () => {
  const rng = createRng(6);
  const rows = 600;
  const nouns = ['door', 'lamp', 'table', 'glass', 'paper', 'stone', 'chair'];
  const drawn = Array.from({ length: rows }, (_, i) => {
    const is = rng.below(2);
    const noun = (): string => nouns[rng.below(nouns.length)] as string;
    return { is, text: `the ${noun()} and the ${noun()} were ${is ? 'lovely' : 'broken'} in room ${i}` };
  });
  const texts = drawn.map(({ text }) => text);
  const told = Int32Array.from(drawn, ({ is }) => is);
  const noise = Int32Array.from({ length: rows }, () => rng.below(2));

  test('are a number that tells what they say', () => {
    const { trained, served } = featuresOf(texts, { labels: told, classes });
    for (const [feature] of [trained, served]) expect(correlation(feature?.values ?? [], told)).toBeGreaterThan(0.9);
    expect(trained).toHaveLength(1);
  });

  test('tell nothing of the rows that they are learnt from', () => {
    const { trained, served } = featuresOf(texts, { labels: noise, classes });
    expect(Math.abs(correlation(trained[0]?.values ?? [], noise))).toBeLessThan(0.15);
    expect(correlation(served[0]?.values ?? [], noise)).toBeGreaterThan(0.3);
  });

  test('are one number for each class, and one for numbers that are learnt', () => {
    const three = { labels: told.map((label, i) => label + Number(i % 3 === 0)), classes: ['a', 'b', 'c'] };
    expect(featuresOf(texts, three).served).toHaveLength(3);
    const numbers = { labels: Float64Array.from(told, (label) => 500 - label), classes: [] };
    expect(correlation(featuresOf(texts, numbers).trained[0]?.values ?? [], told)).toBeLessThan(-0.9);
  });

  test('are missing for NULL, and the mean for a text without known words', () => {
    const features = { encoder: 'plain', classes, state: fitPlain(rowsOf(texts), { labels: told, classes }) };
    const [, words] = plainFeatures(features, ['{"x":null}', '{"x":""}', '{"x":"a lovely door"}']);
    expect(words?.values[0]).toBeNaN();
    expect(Number.isFinite(words?.values[1])).toBe(true);
    expect(Number(words?.values[2])).toBeGreaterThan(Number(words?.values[1]));
  });

  test('of a batch alone are those of a batch together, in a dense matrix, too', () => {
    const inputs = rowsOf(texts);
    const truth = { labels: told, classes };
    const encoder = createDenseEncoder({ encoder: 'dense', classes, state: fitDense(inputs, truth) });
    const json = texts.slice(0, 3).map((x) => JSON.stringify({ x }));
    const width = (encoder.encode(json)['x']?.data.length ?? 0) / 3;
    expect([...(encoder.encode(json)['x']?.data ?? [])].slice(0, width)).toEqual([
      ...(encoder.encode(json.slice(0, 1))['x']?.data ?? []),
    ]);
    const trained = encoder.prepareTraining?.(inputs, truth);
    const [first = Number.NaN] = (trained?.batch(Int32Array.of(5, 7))['x']?.data ?? []) as Float32Array;
    const [again = Number.NaN] = (trained?.batch(Int32Array.of(5))['x']?.data ?? []) as Float32Array;
    expect(first).toBe(again);
  });
});

test('equal rows are in one fold, and all folds have rows', () => {
  const inputs = rowsOf(Array.from({ length: 100 }, (_, i) => `${i}`));
  const { table } = inputs[0] as TableRow;
  const rows = Int32Array.from({ length: 100 }, (_, i) => i % 50);
  const { folds } = columnTargets(table, rows, { labels: new Int32Array(100), classes }) ?? {};
  expect(folds?.slice(0, 50)).toEqual(folds?.slice(50));
  expect(new Set(folds).size).toBe(FOLDS);
});
