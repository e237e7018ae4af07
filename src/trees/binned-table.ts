import type { RowRange } from '../domain/joint-training.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { binFinder, type FeatureBins, type FeatureColumn } from './feature-bins.ts';

/** Rows as bins, and where each feature's bins are in a histogram. */
export interface BinnedTable {
  rows: number;
  features: readonly FeatureBins[];
  /** Row-major [rows, features]. */
  bins: Uint8Array;
  /** See `histogramOffsets`. */
  offsets: Int32Array;
}

/** Rows that are binned feature by feature before the next: their bins fit into the cache. */
const blockRows = 4096;

/** The bins of columns. `bins` is where to put them. */
export function binTable(
  features: readonly FeatureBins[],
  columns: readonly FeatureColumn[],
  { bins }: { bins?: Uint8Array } = {},
): BinnedTable {
  const count = columns[0]?.values.length ?? 0;
  if (columns.length !== features.length || columns.some(({ values }) => values.length !== count))
    throw new InvalidParameter(`${columns.length} columns of ${count} rows do not match ${features.length} features`, {
      hint: 'Give the columns that the forest was grown from, all of one length.',
    });
  const width = features.length;
  const out = bins ?? new Uint8Array(count * width);
  const finders = features.map(binFinder);
  for (let from = 0; from < count; from += blockRows) {
    const to = Math.min(count, from + blockRows);
    for (let f = 0; f < width; f++) {
      const { values } = columns[f] as FeatureColumn;
      const find = finders[f] as (value: number) => number;
      for (let i = from; i < to; i++) out[i * width + f] = find(values[i] as number);
    }
  }
  return { rows: count, features, bins: out, offsets: histogramOffsets(features) };
}

/** A range of its rows, in the same memory. */
export function rowsOfTable(table: BinnedTable, { from, to }: RowRange): BinnedTable {
  const width = table.features.length;
  return { ...table, rows: to - from, bins: table.bins.subarray(from * width, to * width) };
}

/** Of each feature the first entry of its bins in a histogram, and last the number of all entries. */
export function histogramOffsets(features: readonly FeatureBins[]): Int32Array {
  const offsets = new Int32Array(features.length + 1);
  for (const [f, { count }] of features.entries()) offsets[f + 1] = (offsets[f] as number) + count;
  return offsets;
}
