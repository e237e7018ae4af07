/** What a user asks for; a family says which tasks it can do. */
export const tasks = ['sentiment', 'text_classification', 'image_classification'] as const;
export type Task = (typeof tasks)[number];

export const isTask = (name: string): name is Task => (tasks as readonly string[]).includes(name);

/** What a row is answered from: a text, or the bytes of an image file. */
export type RawInput = string | Uint8Array;

/** Labelled rows of one part (train or valid) of a data set. `labels[i]` indexes `classes` of the data set. */
export interface Examples<Input extends RawInput = RawInput> {
  inputs: readonly Input[];
  labels: Int32Array;
}

/** A data set as a trial sees it: classes sorted by their text, the split already made. */
export interface DataSet<Input extends RawInput = RawInput> {
  classes: string[];
  train: Examples<Input>;
  valid: Examples<Input>;
}
