/** The kind of a task's input: a text, or the bytes of an image file. */
export type RawInput = string | Uint8Array;
export type InputKind = 'text' | 'image';
/** The kind of a task's output: one of the data's classes, or the objects in an image. */
export type OutputKind = 'label' | 'boxes';

/** The tasks that a user can choose; SQL reads them from `rafiki.task`. Each family lists those that it supports. */
const known = {
  sentiment: { input: 'text', output: 'label', title: 'what a text feels: text → label' },
  text_classification: { input: 'text', output: 'label', title: 'which class a text belongs to: text → label' },
  image_classification: { input: 'image', output: 'label', title: 'which class an image belongs to: bytea → label' },
  object_detection: {
    input: 'image',
    output: 'boxes',
    title: 'where which objects are in an image: bytea → jsonb array of {label, x, y, w, h}',
  },
} as const satisfies Record<string, { input: InputKind; output: OutputKind; title: string }>;

export type Task = keyof typeof known;
export const tasks = Object.keys(known) as readonly Task[];

export const isTask = (name: string): name is Task => Object.hasOwn(known, name);

export const inputOf = (task: Task): InputKind => known[task].input;
export const outputOf = (task: Task): OutputKind => known[task].output;
export const titleOf = (task: Task): string => known[task].title;

/** An object in an image: in pixels of the upright image (turned as its EXIF says), x and y from its top left corner. */
export interface Box {
  /** Index of its class in the data set's `classes`. */
  label: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The targets of the rows: `labels[i]` indexes `classes`, or holds the objects of image i. */
export type Labels = Int32Array | readonly (readonly Box[])[];

/** Labelled rows of one part (train or valid) of a data set. */
export interface Examples<Input extends RawInput = RawInput> {
  inputs: readonly Input[];
  labels: Labels;
}

/** A data set for a trial: classes sorted by their text, already split. */
export interface DataSet<Input extends RawInput = RawInput> {
  classes: string[];
  train: Examples<Input>;
  valid: Examples<Input>;
}
