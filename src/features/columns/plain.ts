import type { RawInput } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder } from '../encoder.ts';
import type { Truth } from './column-targets.ts';
import { type FittedColumn, featureValues, fitColumns, readFittedColumns, tableFeatures } from './fitted-columns.ts';
import { type LearntRows, learntRowsOf, rowsOf } from './table-rows.ts';

/** Fits basic features to training rows, and to what is learnt of them. */
export function fitPlain(inputs: readonly RawInput[], truth?: Truth): Record<string, unknown> {
  const { targets, ...rows } = learntRowsOf(inputs, truth);
  return { columns: fitColumns(rows, targets) };
}

/** A feature's values, one a row: numbers, NaN where missing; or the numbers of categories. */
export interface PlainFeature {
  categorical: boolean;
  values: Float32Array;
}

/** The features of a data set's rows, one after the other; of rows that are trained on, with what is learnt of them. */
export function plainFeatures({ state }: FittedFeatures, inputs: readonly RawInput[], truth?: Truth): PlainFeature[] {
  const columns = readFittedColumns(state);
  const { targets, ...rows }: LearntRows = truth === undefined ? rowsOf(inputs, columns) : learntRowsOf(inputs, truth);
  return tableFeatures(columns).map((feature) => ({
    categorical: feature.categories > 0,
    values: featureValues(feature, rows, targets),
  }));
}

/** Rows of several columns → `features` [N, features], float32, as they are: for models that compare values and scale none. */
export function createPlainEncoder({ state }: FittedFeatures): RowEncoder {
  const columns: readonly FittedColumn[] = readFittedColumns(state);
  const features = tableFeatures(columns);
  const width = features.length;
  return rowEncoder((inputs): EncodedRows => {
    const given = rowsOf(inputs, columns);
    return {
      count: inputs.length,
      length: () => 1, // all rows are of one width
      batch(indexes) {
        const rows = indexes.map((index) => given.rows[index] as number);
        const data = new Float32Array(rows.length * width);
        for (const [f, feature] of features.entries()) {
          const values = featureValues(feature, { table: given.table, rows });
          for (let i = 0; i < values.length; i++) data[i * width + f] = values[i] as number;
        }
        return { features: { dtype: 'float32', shape: [rows.length, width], data } };
      },
    };
  });
}
