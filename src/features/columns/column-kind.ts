import type { ColumnValues } from '../../domain/table.ts';
import type { ColumnTargets } from './column-targets.ts';

/** What a column of a row becomes for a model: a number, or one of some categories. */
export interface ColumnFeature {
  /** Which part of the column; empty if it is all of it. */
  part: string;
  /** How many categories: 0 is NULL, 1 a value that is rare or was never seen, then those that are known. 0: it is a number. */
  categories: number;
  /** Of these rows: numbers, NaN for NULL; or the categories. */
  values(column: ColumnValues, rows: Int32Array): Float32Array;
  /**
   * Of a feature that is made of the right answers: its values of rows that are trained on, each made of the answers of other rows. Otherwise a
   * model would learn to trust what it will not have.
   */
  trainingValues?(column: ColumnValues, rows: Int32Array, targets: ColumnTargets): Float32Array;
}

/** Plain data that is derived from the training rows of a column. */
export type ColumnState = Readonly<Record<string, unknown>>;

export const isColumnState = (value: unknown): value is ColumnState => typeof value === 'object' && value !== null;

interface ReadableTypes {
  name: string;
  title: string;
  /** The types of Postgres that it reads, by their names in pg_catalog. */
  types: readonly string[];
  /** Further ones by their category, `pg_type.typcategory`. */
  categories?: readonly string[];
  /** Of these rows, which are training rows, with what is learnt of each. */
  fit(column: ColumnValues, rows: Int32Array, targets?: ColumnTargets): ColumnState;
  features(state: ColumnState): readonly ColumnFeature[];
}

/** Reads a column of numbers, or of what is counted in numbers. */
export interface NumberKind extends ReadableTypes {
  stored: 'float32' | 'float64';
  /** A value as `to_json` writes it, which is not null; NaN counts as NULL. Undefined if it is none of the kind. */
  read(value: unknown): number | undefined;
}

/** Reads a column of texts, or of what is written in them. */
export interface TextKind extends ReadableTypes {
  stored: 'text';
  read(value: unknown): string | undefined;
}

/** How columns of some types are read, and become features. A new one is one file and one line in the registry. */
export type ColumnKind = NumberKind | TextKind;
