import { createHash } from 'node:crypto';
import type { DataSet, Examples } from '../domain/task.ts';
import { BadData } from '../errors/errors.ts';

export interface LabelledText {
  label: string;
  text: string;
}

/** Rows of one text, which stay together: a text that is trained on must not be validated on. */
interface Group {
  /** Uniform in [0, 1), decided by the text alone. */
  place: number;
  hash: string;
  rows: LabelledText[];
  valid: boolean;
}

/**
 * Splits rows into training and validation. A row's side follows from its text and nothing else, neither seed nor
 * study nor the order of reading: whatever a deployed model was trained on is never what its successor is compared
 * on. Every class with two texts or more is on both sides. Rows come out ordered by hash, so equal rows give equal
 * data sets wherever they are read.
 */
export function splitRows(rows: readonly LabelledText[], validation: number): DataSet<string> {
  const groups = groupByText(rows, validation);
  const classes = [...new Set(rows.map((row) => row.label))].sort();
  if (classes.length < 2) {
    throw new BadData('there is nothing to tell apart: the rows have fewer than two labels', {
      detail: `${rows.length} labelled rows${classes.length === 1 ? `, all "${classes[0]}"` : ''}`,
      hint: 'Check the target column and what the owner of the study may see of the source.',
    });
  }
  for (const label of classes) coverClass(groups.filter((group) => group.rows.some((row) => row.label === label)));
  return {
    classes,
    train: examplesOf(
      groups.filter((group) => !group.valid),
      classes,
    ),
    valid: examplesOf(
      groups.filter((group) => group.valid),
      classes,
    ),
  };
}

/** Names the validation rows: scores of two trials can be compared, and their votes counted, if it is the same. */
export function validationHash({ classes, valid }: DataSet<string>): Buffer {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  valid.inputs.forEach((text, row) => {
    hash.update(`\n${valid.labels[row]} ${text.length} `).update(text);
  });
  return hash.digest();
}

function groupByText(rows: readonly LabelledText[], validation: number): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const known = groups.get(row.text);
    if (known !== undefined) known.rows.push(row);
    else groups.set(row.text, newGroup(row, validation));
  }
  return [...groups.values()].sort((a, b) => compare(a.hash, b.hash));
}

function newGroup(row: LabelledText, validation: number): Group {
  const digest = createHash('sha256').update(row.text).digest();
  const place = digest.readUInt32BE(0) / 2 ** 32;
  return { place, hash: digest.toString('hex'), rows: [row], valid: place < validation };
}

/** Moves the text nearest to the border where all texts of a class fell on one side. */
function coverClass(groups: readonly Group[]): void {
  const [first, ...others] = groups;
  const last = others.at(-1);
  if (first === undefined) return;
  if (last === undefined)
    first.valid = false; // a single text can only be learned
  else if (groups.every((group) => !group.valid)) first.valid = true;
  else if (groups.every((group) => group.valid)) last.valid = false;
}

function examplesOf(groups: readonly Group[], classes: readonly string[]): Examples<string> {
  const index = new Map(classes.map((label, i) => [label, i]));
  const rows = groups.flatMap((group) => group.rows.toSorted((a, b) => compare(a.label, b.label)));
  return {
    inputs: rows.map((row) => row.text),
    labels: Int32Array.from(rows, (row) => index.get(row.label) as number),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
