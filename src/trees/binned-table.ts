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

/** The bins of columns; with `rows`, of these rows only. `bins` is where to put them. */
export function binTable(
  features: readonly FeatureBins[],
  columns: readonly FeatureColumn[],
  { rows, bins }: { rows?: Int32Array; bins?: Uint8Array } = {},
): BinnedTable {
  const length = columns[0]?.values.length ?? 0;
  if (columns.length !== features.length || columns.some(({ values }) => values.length !== length))
    throw new InvalidParameter(`${columns.length} columns of ${length} rows do not match ${features.length} features`, {
      hint: 'Give the columns that the forest was grown from, all of one length.',
    });
  const count = rows?.length ?? length;
  const width = features.length;
  const out = bins ?? new Uint8Array(count * width);
  const finders = features.map(binFinder);
  for (let from = 0; from < count; from += blockRows) {
    const to = Math.min(count, from + blockRows);
    for (let f = 0; f < width; f++) {
      const { values } = columns[f] as FeatureColumn;
      const find = finders[f] as (value: number) => number;
      for (let i = from; i < to; i++) out[i * width + f] = find(values[rows ? (rows[i] as number) : i] as number);
    }
  }
  return { rows: count, features, bins: out, offsets: histogramOffsets(features) };
}

/** Of each feature the first entry of its bins in a histogram, and last the number of all entries. */
export function histogramOffsets(features: readonly FeatureBins[]): Int32Array {
  const offsets = new Int32Array(features.length + 1);
  for (const [f, { count }] of features.entries()) offsets[f + 1] = (offsets[f] as number) + count;
  return offsets;
}
