import { sortFloats } from './ordered-floats.ts';

/** Bins of a column besides the one for missing values, so that a bin is a byte. */
export const MAX_BINS = 255;

/** Cuts of a column with more rows are those of so many of them. */
const sampledRows = 1 << 18;

/** One value a row; NaN is missing. Of a categorical column, values are codes of categories, and their order means nothing. */
export interface FeatureColumn {
  values: Float32Array;
  categorical: boolean;
}

/** How a column's values are dealt into bins. Bin 0 is for missing values, and for unknown categories. */
export interface FeatureBins {
  categorical: boolean;
  /** Bin 0 included. */
  count: number;
  /**
   * Of numbers: bin b has the values above edges[b − 2] up to and including edges[b − 1]; the last bin has no upper edge.
   * Of categories: bin b has the code edges[b − 1].
   */
  edges: Float32Array;
}

/** Bins of about as many rows each; a value that fills a bin has it for itself. At most `maxBins` and one for missing values. */
export const featureBins = (column: FeatureColumn, maxBins = MAX_BINS): FeatureBins =>
  column.categorical ? categories(column.values, maxBins) : numbers(column.values, maxBins);

/** Finds the bin of a value. */
export function binFinder({ categorical, edges }: FeatureBins): (value: number) => number {
  if (categorical) {
    const places = new Map([...edges].map((code, place) => [code, place + 1]));
    return (value) => places.get(value) ?? 0;
  }
  const padded = new Float32Array(256).fill(Number.POSITIVE_INFINITY);
  padded.set(edges);
  return (value) => {
    if (Number.isNaN(value)) return 0;
    let below = 0;
    // A product instead of a branch, which would be predicted wrongly half the time, and take twice as long.
    for (let step = 128; step > 0; step >>= 1) below += step * Number((padded[below + step - 1] as number) < value);
    return below + 1;
  };
}

function numbers(values: Float32Array, maxBins: number): FeatureBins {
  const { distinct, counts } = tally(sample(values));
  const upper = distinct.length <= maxBins ? [...distinct.keys()] : ends(counts, maxBins);
  const edges = Float32Array.from(upper.slice(0, -1), (i) => between(distinct[i] as number, distinct[i + 1] as number));
  return { categorical: false, count: edges.length + 2, edges };
}

/** The most frequent categories have bins, of equally frequent ones those with the lower code. */
function categories(values: Float32Array, maxBins: number): FeatureBins {
  const counts = new Map<number, number>();
  for (const value of values) if (!Number.isNaN(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ordered = [...counts].sort(([a, often], [b, other]) => other - often || a - b);
  const edges = Float32Array.from(ordered.slice(0, maxBins), ([code]) => code);
  return { categorical: true, count: edges.length + 1, edges };
}

/** Rows at equal distances; without missing values, sorted. */
function sample(values: Float32Array): Float32Array {
  const step = Math.max(1, values.length / sampledRows);
  const taken = new Float32Array(Math.ceil(values.length / step));
  let count = 0;
  for (let at = 0; at < values.length; at += step) {
    const value = values[Math.floor(at)] as number;
    if (!Number.isNaN(value)) taken[count++] = value + 0; // −0 and 0 are one value
  }
  return sortFloats(taken.subarray(0, count));
}

function tally(sorted: Float32Array): { distinct: Float32Array; counts: Uint32Array } {
  const distinct = new Float32Array(sorted.length);
  const counts = new Uint32Array(sorted.length);
  let last = -1;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== distinct[last]) distinct[++last] = sorted[i] as number;
    counts[last]!++;
  }
  return { distinct: distinct.subarray(0, last + 1), counts: counts.subarray(0, last + 1) };
}

/** The index of each bin's last value: a bin ends when it has its share of the rows, or before a value with that share. */
function ends(counts: Uint32Array, maxBins: number): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const large = counts.filter((count) => count * maxBins >= all);
  let [rows, bins] = [all - large.reduce((sum, count) => sum + count, 0), maxBins - large.length];
  const isLarge = (i: number): boolean => (counts[i] as number) * maxBins >= all;
  const last: number[] = [];
  let filled = 0;
  for (let i = 0; i < counts.length; i++) {
    filled += counts[i] as number;
    const ends = i + 1 === counts.length || isLarge(i) || filled * bins >= rows;
    if (ends || (isLarge(i + 1) && filled * 2 * bins >= rows)) {
      if (!isLarge(i)) [rows, bins] = [rows - filled, Math.max(1, bins - 1)];
      last.push(i);
      filled = 0;
    }
    if (last.length === maxBins - 1) break;
  }
  if (last.at(-1) !== counts.length - 1) last.push(counts.length - 1);
  return last;
}

/** A float32 from `low` on that is below `high`: the middle, if rounding leaves it there. */
function between(low: number, high: number): number {
  const middle = Math.fround(low / 2 + high / 2);
  return middle >= low && middle < high ? middle : low;
}
