import { createHash } from 'node:crypto';
import type { LabelledRow } from '../../src/datasets/data-file.ts';
import { type InputColumn, TableRow } from '../../src/domain/table.ts';
import type { Task } from '../../src/domain/task.ts';
import { TableBuilder } from '../../src/features/columns/table-builder.ts';
import { areNumbers, FOLDS, foldsOf, readTable, type TableName, tableNames } from '../trees/tables.ts';

/** A cross-validation of five folds, repeated with other folds: `repeat`, from 1 on, is the seed of the folds. */
export interface FoldPlace {
  repeat: number;
  fold: number;
}

export const placesOf = (repeats: number): FoldPlace[] =>
  Array.from({ length: repeats * FOLDS }, (_, i) => ({ repeat: 1 + Math.floor(i / FOLDS), fold: i % FOLDS }));

/** On the rows of a fold, of a model trained on all others. */
export interface FoldLoss {
  /** Share of the rows whose class is wrong, or root of the mean squared error. */
  loss: number;
  /** CPU time of training and answering. */
  seconds: number;
}

/** A table as the worker of a study has it. */
export interface StudyTable {
  task: Task;
  rows: LabelledRow[];
}

/** Columns of numbers and of texts, an empty text is NULL; the last column is the target. */
export function studyTable(name: TableName): StudyTable {
  const { header, rows } = readTable(name);
  const columns = header.slice(0, -1).map((column, c): InputColumn => {
    return { name: column, kind: areNumbers(rows.map((row) => row[c] ?? '')) ? 'number' : 'text' };
  });
  const inputs = rows.map((row) => JSON.stringify(objectOf(columns, row)));
  const builder = new TableBuilder(columns);
  for (const input of inputs) builder.add(input);
  const hashes = BigInt64Array.from(inputs, (input) => createHash('sha256').update(input).digest().readBigInt64BE());
  const table = { ...builder.take(), hashes };
  const isNumber = tableNames[name] === 'number';
  return {
    task: isNumber ? 'tabular_regression' : 'tabular_classification',
    rows: rows.map((row, i) => {
      const label = row.at(-1) ?? '';
      return { input: new TableRow(table, i), label: isNumber ? Number(label) : label };
    }),
  };
}

const objectOf = (columns: readonly InputColumn[], row: readonly string[]): Record<string, number | string | null> =>
  Object.fromEntries(
    columns.map(({ name, kind }, c) => {
      const text = row[c] ?? '';
      return [name, text === '' ? null : kind === 'number' ? Number(text) : text];
    }),
  );

/** The rows of a fold, and the others. */
export function partsOf(
  { rows }: StudyTable,
  { repeat, fold }: FoldPlace,
): { train: LabelledRow[]; test: LabelledRow[] } {
  const folds = foldsOf(rows.length, repeat);
  return { train: rows.filter((_, i) => folds[i] !== fold), test: rows.filter((_, i) => folds[i] === fold) };
}
