import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { UNKNOWN } from './columns/category.ts';
import type { Truth } from './columns/column-targets.ts';
import {
  type FittedColumn,
  featureValues,
  fitColumns,
  readFittedColumns,
  type TableFeature,
  tableFeatures,
} from './columns/fitted-columns.ts';
import { learntRowsOf, rowsOf, type SomeRows } from './columns/table-rows.ts';
import { type EncodedRows, type RowEncoder, rowEncoder } from './encoder.ts';
import { unfit } from './state.ts';

/** Rows whose quartiles are computed: as good as all of more. */
const SAMPLED = 100_000;

/** A number far from the others becomes at most this, of a unit of the distance between the quartiles. */
const LIMIT = 3;

/** From here on the square may overflow, and the quotient is {@link LIMIT} in double precision. */
const LARGE = 1e9;

/**
 * Columns of the matrix that all categories share: batches of some MB for rows of 1,600 texts. Beyond it rarer values are as those that
 * were never seen.
 */
const MAX_CATEGORIES = 4096;

/** How numbers of a feature are scaled: (x − centre) · scale. */
interface Scaling {
  centre: number;
  scale: number;
  /** Whether it is NULL in training rows. */
  hasNulls: boolean;
}

/** Fits a dense matrix to training rows, and to what is learnt of them. */
export function fitDense(inputs: readonly RawInput[], truth?: Truth): Record<string, unknown> {
  const { targets, ...rows } = learntRowsOf(inputs, truth);
  const fitted = fitColumns(rows, targets);
  const scalings = tableFeatures(fitted).map((feature) =>
    feature.categories > 0 ? null : scalingOf(featureValues(feature, rows, targets)),
  );
  return { columns: fitted, scalings };
}

/**
 * Robust scaling as in RealMLP (Holzmüller et al. 2024, arXiv 2407.04491, section 3): by the distance of the quartiles; if that is 0, by
 * half of the range; a constant gets 0.
 */
function scalingOf(values: Float32Array): Scaling {
  const present = values.filter((value) => !Number.isNaN(value));
  const stride = Math.max(1, Math.floor(present.length / SAMPLED));
  const sample = present.filter((value, i) => i % stride === 0 && Number.isFinite(value)).sort();
  const quantile = (share: number): number => sample[Math.round(share * (sample.length - 1))] ?? 0;
  const [quartiles, range] = [quantile(0.75) - quantile(0.25), quantile(1) - quantile(0)];
  const scale = quartiles > 0 ? 1 / quartiles : range > 0 ? 2 / range : 0;
  return { centre: quantile(0.5), scale, hasNulls: present.length < values.length };
}

interface Slot {
  feature: TableFeature;
  scaling: Scaling | null;
  /** Its column if it is a number, otherwise that of its first category. */
  at: number;
  /** Columns of its categories. */
  categories: number;
  /** The column that tells whether a number is NULL, if some are. */
  nullAt: number;
}

/** The columns of the matrix: the numbers come first, then for each feature its categories, or whether the number is NULL. */
interface Layout {
  slots: Slot[];
  numbers: number;
  width: number;
}

function layoutOf(columns: readonly FittedColumn[], scalings: readonly (Scaling | null)[]): Layout {
  const numbers = scalings.filter((scaling) => scaling !== null).length;
  let [number, width] = [0, numbers];
  const features = tableFeatures(columns);
  const most = mostCategories(features.map(({ categories }) => categories));
  const slots = features.map((feature, i) => {
    const scaling = scalings[i] ?? null;
    const categories = Math.min(feature.categories, most);
    const slot = { feature, scaling, at: scaling === null ? width : number++, categories, nullAt: width };
    width += scaling === null ? categories : Number(scaling.hasNulls);
    return slot;
  });
  return { slots, numbers, width };
}

/** How many categories each feature may have, NULL and the unknown value included, so that all have {@link MAX_CATEGORIES} at most. */
function mostCategories(counts: readonly number[]): number {
  let most = Math.max(UNKNOWN + 1, ...counts);
  const total = (): number => counts.reduce((sum, count) => sum + Math.min(count, most), 0);
  while (most > UNKNOWN + 1 && total() > MAX_CATEGORIES) most--;
  return most;
}

/** How many columns the matrix has, and how many of them, the first ones, are numbers; the others are 0 or 1. */
export function denseColumns({ state }: FittedFeatures): Pick<Layout, 'numbers' | 'width'> {
  const { numbers, width } = layoutOf(readFittedColumns(state), readScalings(state));
  return { numbers, width };
}

/** Rows of several columns → `x` [N, width], float32. */
export function createDenseEncoder({ state }: FittedFeatures): RowEncoder {
  const columns = readFittedColumns(state);
  const layout = layoutOf(columns, readScalings(state));
  const encoded = (count: number, valuesAt: ValuesAt): EncodedRows => ({
    count,
    length: () => 1, // all rows are of one width
    batch: (indexes) => ({ x: matrixOf(indexes, valuesAt, layout) }),
  });
  const atRows =
    ({ table, rows }: SomeRows): ValuesAt =>
    (feature, indexes) =>
      featureValues(feature, { table, rows: indexes.map((index) => rows[index] as number) });
  return {
    ...rowEncoder((inputs) => encoded(inputs.length, atRows(rowsOf(inputs, columns)))),
    prepareTraining(inputs, truth) {
      const given = learntRowsOf(inputs, truth);
      const own = new Map(
        layout.slots
          .filter(({ feature }) => feature.trainingValues !== undefined)
          .map(({ feature }) => [feature, featureValues(feature, given, given.targets)]),
      );
      const others = atRows(given);
      return encoded(inputs.length, (feature, indexes) => {
        const values = own.get(feature);
        return values === undefined ? others(feature, indexes) : Float32Array.from(indexes, (i) => values[i] as number);
      });
    },
  };
}

/** The values of a feature of some of the encoded rows. */
type ValuesAt = (feature: TableFeature, indexes: Int32Array) => Float32Array;

function matrixOf(indexes: Int32Array, valuesAt: ValuesAt, { slots, width }: Layout): TensorData {
  const data = new Float32Array(indexes.length * width);
  for (const { feature, scaling, at, categories, nullAt } of slots) {
    valuesAt(feature, indexes).forEach((value, i) => {
      const row = i * width;
      if (scaling === null) data[row + at + (value < categories ? value : UNKNOWN)] = 1;
      else if (!Number.isNaN(value)) data[row + at] = clipped((value - scaling.centre) * scaling.scale);
      else if (scaling.hasNulls) data[row + nullAt] = 1;
    });
  }
  return { dtype: 'float32', shape: [indexes.length, width], data };
}

/** Smoothly, as in RealMLP: x / √(1 + (x / 3)²), which is ±3 for large numbers and infinities. */
function clipped(value: number): number {
  if (value === 0 || Number.isNaN(value)) return 0; // NaN: an infinity in a constant column
  return Math.abs(value) < LARGE ? value / Math.sqrt(1 + (value / LIMIT) ** 2) : Math.sign(value) * LIMIT;
}

function readScalings({ scalings }: Record<string, unknown>): readonly (Scaling | null)[] {
  if (Array.isArray(scalings) && scalings.every((each) => each === null || isScaling(each))) return scalings;
  throw unfit('scalings', 'a list of scalings');
}

const isScaling = (value: unknown): value is Scaling =>
  typeof value === 'object' &&
  value !== null &&
  'centre' in value &&
  typeof value.centre === 'number' &&
  'scale' in value &&
  typeof value.scale === 'number' &&
  'hasNulls' in value &&
  typeof value.hasNulls === 'boolean';
