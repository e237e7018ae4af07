/** What a user asks for; a family says which tasks it can do. */
export const tasks = ['sentiment', 'text_classification'] as const;
export type Task = (typeof tasks)[number];

export const isTask = (name: string): name is Task => (tasks as readonly string[]).includes(name);

/** Labelled rows of one part (train or valid) of a data set. `labels[i]` indexes `classes` of the data set. */
export interface Examples {
  texts: string[];
  labels: Int32Array;
}

/** A data set as a trial sees it: classes sorted by their text, the split already made. */
export interface DataSet {
  classes: string[];
  train: Examples;
  valid: Examples;
}
