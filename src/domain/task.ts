import type { TableRow } from './table.ts';

/** The input of a row: a text, the bytes of an image file, or several columns. */
export type RawInput = string | Uint8Array | TableRow;
export type InputKind = 'text' | 'image' | 'columns';
/** The answer for a row: one of the data's classes, a number, or the objects in an image. Each is a kind in `kinds/registry.ts`. */
export type OutputKind = 'label' | 'boxes' | 'number';

/** The tasks; SQL reads them in `rafiki.task`. Families are for tasks with their kinds of input and output. */
const known = {
  sentiment: { input: 'text', output: 'label', title: 'sentiment of a text: text → label' },
  text_classification: { input: 'text', output: 'label', title: 'class of a text: text → label' },
  image_classification: { input: 'image', output: 'label', title: 'class of an image: bytea → label' },
  object_detection: {
    input: 'image',
    output: 'boxes',
    title: 'objects in an image: bytea → jsonb array of {label, x, y, w, h}',
  },
  text_regression: { input: 'text', output: 'number', title: 'number for a text: text → number' },
  image_regression: { input: 'image', output: 'number', title: 'number for an image: bytea → number' },
  tabular_classification: { input: 'columns', output: 'label', title: 'class of a row: columns → label' },
  tabular_regression: { input: 'columns', output: 'number', title: 'number of a row: columns → number' },
} as const satisfies Record<string, { input: InputKind; output: OutputKind; title: string }>;

export type Task = keyof typeof known;
export const tasks = Object.keys(known) as readonly Task[];

export const isTask = (name: string): name is Task => Object.hasOwn(known, name);

export const inputOf = (task: Task): InputKind => known[task].input;
export const outputOf = (task: Task): OutputKind => known[task].output;
export const titleOf = (task: Task): string => known[task].title;

/** Of the upright image, in pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** An object in an image: in pixels of the upright image (rotated according to EXIF), x and y from its top left corner. */
export interface Box {
  /** Index of its class in the data set's `classes`. */
  label: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The right answers of the rows: `labels[i]` indexes `classes`, is a number, or contains the objects of image i. */
export type Labels = Int32Array | Float64Array | readonly (readonly Box[])[];

/** Labelled rows of one part (train or valid) of a data set. */
export interface Examples<Input extends RawInput = RawInput> {
  inputs: readonly Input[];
  labels: Labels;
}

/** A trial's data set: classes sorted by name, rows split into training and validation. */
export interface DataSet<Input extends RawInput = RawInput> {
  classes: string[];
  train: Examples<Input>;
  valid: Examples<Input>;
}
