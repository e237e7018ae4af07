import { describe, expect, test } from 'vitest';
import type { ColumnValues } from '../../../src/domain/table.ts';
import { keepRows, MixedRows } from '../../../src/features/columns/kept-rows.ts';
import { columnKind } from '../../../src/features/columns/registry.ts';
import { trainingRowsOf } from '../../../src/features/columns/table-rows.ts';
import { tableRows } from './table-rows.ts';

const everyRow = (count: number): Int32Array => Int32Array.from({ length: count }, (_, row) => row);

/** The features of these values of a column, and of the same after they were kept with a model and mixed into a row without one. */
function featuresOf(kind: string, given: readonly unknown[]): Record<'read' | 'kept', number[][]> {
  const columns = [{ name: 'x', kind }];
  const rowsWith = (values: readonly unknown[]) =>
    trainingRowsOf(
      tableRows(
        columns,
        values.map((x) => JSON.stringify({ x })),
      ),
    );
  const rows = rowsWith(given);
  const mixed = trainingRowsOf(
    new MixedRows(rowsWith([null]), keepRows(rows)).mix(
      given.length,
      () => false,
      (row) => row,
    ),
  );
  const known = columnKind(kind);
  const read = rows.table.columns.get('x') as ColumnValues;
  const features = known.features(known.fit(read, everyRow(given.length)));
  const featuresIn = (column: ColumnValues): number[][] =>
    features.map(({ values }) => [...values(column, everyRow(given.length))]);
  return { read: featuresIn(read), kept: featuresIn(mixed.table.columns.get('x') as ColumnValues) };
}

describe('kept rows', () => {
  test('have long objects as they were read', () => {
    const objects = Array.from({ length: 6 }, (_, i) => ({ a: i, long: 'x'.repeat(2000 + i), z: -i }));
    const { read, kept } = featuresOf('object', objects);
    expect(read[0]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(kept).toEqual(read);
  });

  test('have long lists as they were read', () => {
    const lists = Array.from({ length: 6 }, (_, i) => Array.from({ length: 300 }, (_, k) => (i + k) / 7));
    const { read, kept } = featuresOf('list', lists);
    expect(read).toHaveLength(300);
    expect(kept).toEqual(read);
  });

  test('lack an object or a list of more than a million characters, and have the start of a long text', () => {
    const columns = [
      { name: 'texts', kind: 'text' },
      { name: 'list', kind: 'list' },
      { name: 'object', kind: 'object' },
    ];
    const row = {
      ...{ texts: 'ab'.repeat(1000), list: new Array<number>(500_001).fill(1) },
      object: { a: 'x'.repeat(1_000_000) },
    };
    const kept = keepRows(trainingRowsOf(tableRows(columns, [JSON.stringify(row)])));
    expect(kept.map(({ values }) => values)).toEqual([['ab'.repeat(500)], [null], [null]]);
  });
});
