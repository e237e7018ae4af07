import { describe, expect, test } from 'vitest';
import type { ColumnValues } from '../../../src/domain/table.ts';
import { columnKinds } from '../../../src/features/columns/registry.ts';
import { TableBuilder } from '../../../src/features/columns/table-builder.ts';
import { createDenseEncoder, fitDense } from '../../../src/features/dense.ts';
import { columnKindCases } from './column-kind-cases.ts';
import { tableRows } from './table-rows.ts';

test('each kind of column has a case', () => {
  expect(Object.keys(columnKindCases).toSorted()).toEqual(columnKinds.map(({ name }) => name).toSorted());
});

describe.each(columnKinds.map((kind) => ({ kind, name: kind.name })))('the kind "$name"', ({ kind, name }) => {
  const { values, others } = columnKindCases[name] ?? { values: [], others: [] };
  const columns = [{ name: 'x', kind: name }];
  const jsonOf = (x: unknown): string => JSON.stringify({ x });

  function columnOf(given: readonly unknown[]): ColumnValues {
    const builder = new TableBuilder(columns);
    for (const x of given) builder.add(jsonOf(x));
    return builder.take().columns.get('x') as ColumnValues;
  }

  /** Often enough that none of them is rare, and NULL. */
  const trained = [...Array.from({ length: 10 }, () => values).flat(), null];
  const rowsOf = (given: readonly unknown[]): Int32Array => Int32Array.from(given, (_, row) => row);
  const state = kind.fit(columnOf(trained), rowsOf(trained));
  const features = kind.features(state);
  const featuresOf = (given: readonly unknown[], rows = rowsOf(given), of = features): number[][] =>
    of.map((feature) => [...feature.values(columnOf(given), rows)]);

  test('reads its values, and no others', () => {
    for (const value of values) expect(kind.read(value), JSON.stringify(value)).not.toBeUndefined();
    const structures = [[1], {}].filter((each) => name !== (Array.isArray(each) ? 'list' : 'object'));
    for (const other of [...others, ...structures]) expect(kind.read(other), JSON.stringify(other)).toBeUndefined();
  });

  test('has features, each with a part of its own, that distinguish values', () => {
    expect(features.length).toBeGreaterThan(0);
    expect(new Set(features.map(({ part }) => part)).size).toBe(features.length);
    const [one, other] = values.map((value) => JSON.stringify(featuresOf([value])));
    expect(one).not.toBe(other);
  });

  test('has NaN for NULL among numbers, 0 among categories, and no category that it did not announce', () => {
    const given = [...values, null];
    featuresOf(given).forEach((found, i) => {
      const categories = features[i]?.categories ?? 0;
      expect(found.at(-1)).toBe(categories === 0 ? Number.NaN : 0);
      if (categories > 0)
        for (const one of found) expect(Number.isInteger(one) && one >= 0 && one < categories).toBe(true);
    });
  });

  test('has the same features of a row alone, together and in another order, also of values that it was not fitted to', () => {
    const [first, ...rest] = values;
    const fewer = kind.features(kind.fit(columnOf([first, null]), rowsOf([first, null])));
    const given = [null, ...rest, first];
    const together = featuresOf(given, rowsOf(given), fewer);
    given.forEach((value, row) => {
      expect(featuresOf([value], rowsOf([value]), fewer)).toEqual(together.map((found) => [found[row]]));
    });
    expect(featuresOf(given, rowsOf(given).toReversed(), fewer)).toEqual(together.map((found) => found.toReversed()));
  });

  test('has a state that can be stored as JSON', () => {
    const stored = JSON.parse(JSON.stringify(state)) as typeof state;
    expect(featuresOf(trained, rowsOf(trained), kind.features(stored))).toEqual(featuresOf(trained));
  });

  test('is encoded as finite numbers', () => {
    const dense = { encoder: 'dense', classes: [], state: fitDense(tableRows(columns, trained.map(jsonOf))) };
    const encoded = [...(createDenseEncoder(dense).encode([...values, null].map(jsonOf))['x']?.data ?? [])].map(Number);
    expect(encoded.length).toBeGreaterThan(0);
    expect(encoded.filter((number) => !Number.isFinite(number))).toEqual([]);
  });

  test('can be explained, and has types', () => {
    expect(kind.title).toMatch(/^an? |^true/);
    expect(kind.types.length + (kind.categories ?? []).length).toBeGreaterThan(0);
  });
});
