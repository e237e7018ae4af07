import type { ForeignType } from '../engine/foreign/session.ts';
import type { FittedColumn } from '../features/columns/fitted-columns.ts';
import { unfit } from '../features/state.ts';

/** The name of the features of an imported model that is none of ours, in `FittedFeatures.encoder`; their state is a {@link ForeignPlan}. */
export const FOREIGN = 'foreign';

/** How inputs become those of a foreign graph, and its output answers: found when it was imported. Plain data. */
export interface ForeignPlan {
  input: InputPlan;
  output: OutputPlan;
  /** Rows of each run; null: any number. */
  batch: number | null;
  /** Those of an input of several columns. */
  columns: FittedColumn[];
}

export type InputPlan = ColumnsPlan | TextsPlan | TokensPlan | PicturesPlan;

/** Columns of a row, in one or several tensors. */
export interface ColumnsPlan {
  kind: 'columns';
  inputs: readonly ColumnsInput[];
  /** In place of NULL in columns of numbers; null: NaN. */
  missing: number | null;
}

export interface ColumnsInput {
  name: string;
  type: ForeignType;
  /** Its dimensions without the rows. */
  tail: readonly number[];
  columns: readonly ColumnPart[];
}

/** A column, and how many numbers it gives: 1, or those of an array. */
export interface ColumnPart {
  name: string;
  length: number;
}

/** Whole texts. */
export interface TextsPlan {
  kind: 'texts';
  name: string;
  tail: readonly number[];
}

/** Numbers of a tokenizer's tokens; see `createTokenEncoder`. */
export interface TokensPlan {
  kind: 'tokens';
  tokens: Readonly<Record<string, unknown>>;
  type: 'int32' | 'int64';
  /** Tokens of each row; null: as many as the longest text has. */
  width: number | null;
}

export interface PicturesPlan {
  kind: 'pictures';
  name: string;
  type: 'float32' | 'uint8';
  height: number;
  width: number;
  /** The shorter side before the middle is cut out; null: the size itself. */
  resize: number | null;
  fit: 'crop' | 'stretch';
  layout: 'nchw' | 'nhwc';
  channels: 'rgb' | 'bgr' | 'grey';
  /** A value is (pixel / scale − mean) / std, by colour. */
  scale: number;
  mean: readonly number[];
  std: readonly number[];
}

export const outputKinds = ['probabilities', 'logits', 'labels', 'numbers'] as const;
export type OutputKindOf = (typeof outputKinds)[number];

export interface OutputPlan {
  name: string;
  kind: OutputKindOf;
}

/** Reads a plan from storage. It was checked when it was made. */
export function readPlan(state: Record<string, unknown>): ForeignPlan {
  const { input, output, batch, columns } = state as Partial<ForeignPlan>;
  if (typeof input !== 'object' || typeof output !== 'object' || batch === undefined || columns === undefined)
    throw unfit('input', 'the plan of an imported model');
  return { input, output, batch, columns };
}
