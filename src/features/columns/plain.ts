import type { RawInput } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder } from '../encoder.ts';
import {
  type FittedColumn,
  fitColumns,
  readFittedColumns,
  type TableFeature,
  tableFeatures,
  valuesOf,
} from './fitted-columns.ts';
import { rowsOf, type SomeRows, trainingRowsOf } from './table-rows.ts';

/** Fits basic features to training rows. */
export const fitPlain = (inputs: readonly RawInput[]): Record<string, unknown> => ({
  columns: fitColumns(trainingRowsOf(inputs)),
});

/** A feature's values, one a row: numbers, NaN where missing; or the numbers of categories. */
export interface PlainFeature {
  categorical: boolean;
  values: Float32Array;
}

/** The features of a data set's rows, one after the other. */
export function plainFeatures({ state }: FittedFeatures, inputs: readonly RawInput[]): PlainFeature[] {
  const columns = readFittedColumns(state);
  const given = rowsOf(inputs, columns);
  return tableFeatures(columns).map((feature) => ({
    categorical: feature.categories > 0,
    values: valuesIn(given, feature, given.rows),
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
          const values = valuesIn(given, feature, rows);
          for (let i = 0; i < values.length; i++) data[i * width + f] = values[i] as number;
        }
        return { features: { dtype: 'float32', shape: [rows.length, width], data } };
      },
    };
  });
}

const valuesIn = ({ table }: SomeRows, feature: TableFeature, rows: Int32Array): Float32Array =>
  feature.values(valuesOf(table, feature.column), rows);
