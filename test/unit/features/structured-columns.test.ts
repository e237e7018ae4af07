import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ColumnValues } from '../../../src/domain/table.ts';
import type { Truth } from '../../../src/features/columns/column-targets.ts';
import { fitPlain, plainFeatures } from '../../../src/features/columns/plain.ts';
import { columnKind } from '../../../src/features/columns/registry.ts';
import { TableBuilder } from '../../../src/features/columns/table-builder.ts';
import { tableRows } from './table-rows.ts';

function columnOf(kind: string, values: readonly unknown[]): ColumnValues {
  const builder = new TableBuilder([{ name: 'x', kind }]);
  for (const x of values) builder.add(JSON.stringify({ x }));
  return builder.take().columns.get('x') as ColumnValues;
}

const everyRow = (count: number): Int32Array => Int32Array.from({ length: count }, (_, row) => row);

/** The features of a column, fitted to these values, of further ones. */
function featuresOf(kind: string, fitted: readonly unknown[], given: readonly unknown[] = fitted) {
  const known = columnKind(kind);
  const state = known.fit(columnOf(kind, fitted), everyRow(fitted.length));
  return Object.fromEntries(
    known.features(state).map(({ part, values }) => [part, [...values(columnOf(kind, given), everyRow(given.length))]]),
  );
}

const times = <T>(count: number, ...values: T[]): T[] => Array.from({ length: count }, () => values).flat();
const { NaN: missing } = Number;

describe('objects', () => {
  test('are columns by key: numbers, truth values, texts; what is missing is NULL', () => {
    const fitted = times(4, { size: 4, isNew: true, colour: 'red' }, { size: 5.5, isNew: false, colour: 'blue' });
    const given = [fitted[0], {}, null, { size: null, colour: 'green' }, { colour: 'blue', further: 1 }];
    expect(featuresOf('object', fitted, given)).toEqual({
      size: [4, missing, missing, missing, missing],
      isNew: [1, missing, missing, missing, missing],
      colour: [3, 0, 0, 1, 2],
    });
  });

  test('of fewer than four rows are not read', () => {
    const fitted = [...times(4, { often: 1 }), ...times(3, { seldom: 1 })];
    expect(Object.keys(featuresOf('object', fitted))).toEqual(['often']);
    expect(featuresOf('object', [{}, { a: 1 }, null])).toEqual({ keys: [0, 1, missing] });
  });

  test('are read one level deep: what is nested counts as missing', () => {
    const fitted = times(4, { a: 1, b: { c: 2 }, d: [1, 2] });
    expect(featuresOf('object', fitted, [{ a: { a: 1 } }, { a: 2 }])).toEqual({ a: [missing, 2] });
  });

  test('nested a hundred thousand deep are read', () => {
    const deep = `{"x":{"a":1,"b":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    const builder = new TableBuilder([{ name: 'x', kind: 'object' }]);
    builder.add(deep);
    expect(builder.take().columns.get('x')).toMatchObject({ texts: ['{"a":1}'] });
  });

  test('with values of several types are texts if some are, otherwise numbers', () => {
    const mixed = times(4, { a: 1, b: true }, { a: 'one', b: 2 });
    expect(
      featuresOf('object', mixed, [
        { a: 1, b: true },
        { a: 'one', b: 2 },
        { a: '1', b: 'x' },
      ]),
    ).toEqual({
      a: [2, 3, 2],
      b: [1, 2, missing],
    });
  });

  test('have the same features in any order of their keys', () => {
    const [one, other] = ['{"a":1,"b":"x"}', '{"b":"x","a":1}'].map((text) =>
      columnKind('object').read(JSON.parse(text)),
    );
    expect(one).toBe(other);
  });

  test('may have any keys', () => {
    const builder = new TableBuilder([{ name: 'x', kind: 'object' }]);
    for (let i = 0; i < 4; i++) builder.add('{"x":{"__proto__":3,"constructor":4,"":5,"1":6}}');
    const column = builder.take().columns.get('x') as ColumnValues;
    const kind = columnKind('object');
    const features = kind.features(kind.fit(column, everyRow(4)));
    expect(features.map(({ part, values }) => [part, values(column, Int32Array.of(0))[0]]).sort()).toEqual([
      ['', 5],
      ['1', 6],
      ['__proto__', 3],
      ['constructor', 4],
    ]);
  });

  test('have at most 64 keys, the most frequent ones', () => {
    const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, i]));
    const found = featuresOf('object', [...times(4, wide), { key299: 1 }]);
    expect(Object.keys(found)).toHaveLength(64);
    expect(Object.keys(found)).toContain('key299');
  });

  test('of any JSON are the same alone and together', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 4, maxLength: 12 }), (objects) => {
        const fitted = [...objects, ...objects, ...objects, ...objects];
        const together = featuresOf('object', fitted);
        for (const [row, object] of objects.entries())
          for (const [part, [value]] of Object.entries(featuresOf('object', fitted, [object])))
            expect(value).toEqual(together[part]?.[row]);
      }),
      { numRuns: 50 },
    );
  });

  test('have target statistics of a key with many values', () => {
    const values = Array.from({ length: 1000 }, (_, i) => ({ city: `city ${i % 301}` }));
    const labels = Int32Array.from(values, (_, i) => (i % 301) % 2);
    const truth: Truth = { labels, classes: ['no', 'yes'] };
    const inputs = tableRows(
      [{ name: 'x', kind: 'object' }],
      values.map((x) => JSON.stringify({ x })),
    );
    const features = { encoder: 'plain', classes: ['no', 'yes'], state: fitPlain(inputs, truth) };
    const [, statistic] = plainFeatures(features, inputs, truth);
    const right = labels.filter((label, i) => Number((statistic?.values[i] as number) > 0.5) === label).length;
    expect(right).toBeGreaterThan(950);
  });
});

describe('arrays of numbers', () => {
  test('of one length are their elements by place', () => {
    const given = [[1, 2, 3], [4, null, 'Infinity'], [7], [], [1, 2, 3, 4], null];
    expect(featuresOf('list', times(10, [1, 2, 3]), given)).toEqual({
      '[1]': [1, 4, 7, missing, 1, missing],
      '[2]': [2, missing, missing, missing, 2, missing],
      '[3]': [3, Number.POSITIVE_INFINITY, missing, missing, 3, missing],
    });
  });

  test('of several lengths are the first elements and figures of all', () => {
    const given = [[1, 2], [5], [], [null], null, ['NaN', 3]];
    expect(featuresOf('list', [[1, 2], [5], [2, 4, 6]], given)).toEqual({
      '[1]': [1, 5, missing, missing, missing, missing],
      '[2]': [2, missing, missing, missing, missing, 3],
      '[3]': times(6, missing),
      length: [2, 1, 0, 1, missing, 2],
      mean: [1.5, 5, missing, missing, missing, 3],
      smallest: [1, 5, missing, missing, missing, 3],
      largest: [2, 5, missing, missing, missing, 3],
    });
  });

  test('of several dimensions are read in order', () => {
    expect(
      featuresOf(
        'list',
        times(4, [
          [1, 2],
          [3, 4],
        ]),
        [
          [
            [5, 6],
            [7, 8],
          ],
        ],
      ),
    ).toEqual({
      '[1]': [5],
      '[2]': [6],
      '[3]': [7],
      '[4]': [8],
    });
  });

  test('nested deeper than in Postgres are refused', () => {
    const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
    expect(columnKind('list').read(nested(6))).toBe('[1]');
    expect(columnKind('list').read(nested(7))).toBeUndefined();
    expect(columnKind('list').read(nested(100_000))).toBeUndefined();
  });

  test('of embeddings have all elements, of very long ones figures', () => {
    const long = (length: number): number[] => Array.from({ length }, (_, i) => i);
    expect(Object.keys(featuresOf('list', [long(768)]))).toHaveLength(768);
    expect(Object.keys(featuresOf('list', [long(5000)]))).toHaveLength(20);
  });

  test('that are all empty, or NULL, have figures only', () => {
    for (const none of [[], null])
      expect(Object.keys(featuresOf('list', [none, none]))).toEqual(['length', 'mean', 'smallest', 'largest']);
  });
});
