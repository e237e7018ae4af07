/** What a user asks for; a family says which tasks it can do. */
export const tasks = ['sentiment', 'text_classification', 'image_classification', 'object_detection'] as const;
export type Task = (typeof tasks)[number];

export const isTask = (name: string): name is Task => (tasks as readonly string[]).includes(name);

/** What a row is answered from: a text, or the bytes of an image file. */
export type RawInput = string | Uint8Array;
export type InputKind = 'text' | 'image';

const inputs: Readonly<Record<Task, InputKind>> = {
  sentiment: 'text',
  text_classification: 'text',
  image_classification: 'image',
  object_detection: 'image',
};

export const inputOf = (task: Task): InputKind => inputs[task];

/** An object in an image: in pixels of the upright image (turned as its EXIF says), x and y from its top left corner. */
export interface Box {
  /** Index of its class in the data set's `classes`. */
  label: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** What the rows are to be answered with: `labels[i]` indexes `classes`, or holds the objects of image i. */
export type Labels = Int32Array | readonly (readonly Box[])[];

/** Labelled rows of one part (train or valid) of a data set. */
export interface Examples<Input extends RawInput = RawInput> {
  inputs: readonly Input[];
  labels: Labels;
}

/** A data set as a trial sees it: classes sorted by their text, the split already made. */
export interface DataSet<Input extends RawInput = RawInput> {
  classes: string[];
  train: Examples<Input>;
  valid: Examples<Input>;
}
