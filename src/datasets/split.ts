import { createHash } from 'node:crypto';
import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import type { Box, DataSet, Examples, Task } from '../domain/task.ts';
import { BadData, InvalidParameter } from '../errors/errors.ts';
import type { LabelledRow } from './data-file.ts';

/** Rows with the same input, which stay together: a training input must not be used for validation. */
interface Group {
  /** Uniform in [0, 1), decided by the input alone. */
  place: number;
  hash: string;
  rows: LabelledRow[];
  labels: Set<string>;
  valid: boolean;
}

/**
 * Splits rows into training and validation. A row's side follows from its input and nothing else, neither seed nor
 * study nor the order of reading: whatever a deployed model was trained on is never what its successor is compared
 * on. Every class with two inputs or more is on both sides. Where the study's owner chose the rows to validate on, it is those,
 * and rows to train on with an input of theirs are left out. Rows come out ordered by hash, so equal rows give equal
 * data sets wherever they are read.
 */
export function splitRows(
  rows: readonly LabelledRow[],
  { task, validation }: { task: Task; validation: number },
): DataSet {
  const groups = groupByInput(rows, validation);
  const classes = [...new Set(rows.flatMap(labelsOf))].sort();
  checkClasses(rows, classes, task);
  for (const label of classes) checkLabel(label); // files that were read by an earlier version
  checkClassCount(classes);
  const isJudged = rows.some((row) => row.validates !== undefined);
  if (isJudged) {
    groups.forEach(judge);
    checkShared(groups);
  } else for (const label of classes) coverClass(groups.filter((group) => group.labels.has(label)));
  const side = (valid: boolean): Examples => {
    const chosen = groups.filter((group) => group.valid === valid);
    return examplesOf(chosen, classes, task);
  };
  return { classes, train: side(false), valid: side(true) };
}

/** Identifies the validation rows: scores and votes of two trials are comparable only if it is the same. */
export function validationHash({ classes, valid }: DataSet): Buffer {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  valid.inputs.forEach((input, row) => {
    hash.update(`\n${JSON.stringify(valid.labels[row])} ${input.length} `).update(input);
  });
  return hash.digest();
}

/** Identifies the rows of both sides: a trial that starts from weights of other rows would not be comparable. */
export function snapshotHash(data: DataSet): Buffer {
  const sides = [validationHash(data), validationHash({ ...data, valid: data.train })];
  return createHash('sha256').update(Buffer.concat(sides)).digest();
}

/** How many inputs are remembered as trained on; `rafiki.validation` has the same number. */
const MAX_TRAINED = 2 ** 18;

/** Hashes of the training inputs, as `rafiki._input_hash` computes them: distinct, ascending, at most `max`. */
export function trainedInputs({ train }: DataSet, max = MAX_TRAINED): BigInt64Array {
  return BigInt64Array.from(new Set(train.inputs.map(inputHash)))
    .sort()
    .slice(0, max);
}

/** Number of the inputs that were used for training; estimated if not all hashes were stored. */
export function countTrained(inputs: DataSet['valid']['inputs'], trained: BigInt64Array, max = MAX_TRAINED): number {
  const known = new Set(trained);
  const last = trained.length < max ? undefined : trained.at(-1);
  const hashes = inputs.map(inputHash).filter((hash) => last === undefined || hash <= last);
  const among = hashes.filter((hash) => known.has(hash)).length;
  return hashes.length === 0 ? 0 : Math.round((among / hashes.length) * inputs.length);
}

const inputHash = (input: string | Uint8Array): bigint => createHash('sha256').update(input).digest().readBigInt64BE(0);

/** One for a class, several or none for an image with boxes. */
const labelsOf = ({ label }: LabelledRow): string[] =>
  typeof label === 'string' ? [label] : label.map((box) => box.label);

function checkClasses(rows: readonly LabelledRow[], classes: readonly string[], task: Task): void {
  const counted = `${rows.length} labelled rows`;
  const hint = 'Check the target column and what the owner of the study may see of the source.';
  if (task === 'object_detection' && classes.length < 1)
    throw new BadData('there is nothing to find: no row has a box', { detail: counted, hint });
  if (task !== 'object_detection' && classes.length < 2) {
    throw new BadData('there is nothing to tell apart: the rows have fewer than two labels', {
      detail: `${counted}${classes.length === 1 ? `, all "${classes[0]}"` : ''}`,
      hint,
    });
  }
}

function groupByInput(rows: readonly LabelledRow[], validation: number): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const digest = createHash('sha256').update(row.input).digest();
    const hash = digest.toString('hex');
    const place = digest.readUInt32BE(0) / 2 ** 32;
    const group = groups.get(hash) ?? { place, hash, rows: [], labels: new Set(), valid: place < validation };
    group.rows.push(row);
    for (const label of labelsOf(row)) group.labels.add(label);
    groups.set(hash, group);
  }
  return [...groups.values()].sort((a, b) => compare(a.hash, b.hash));
}

/** One validation row moves its whole input to the validation side, unless the others are more. */
function judge(group: Group): void {
  const judging = group.rows.filter((row) => row.validates === true);
  group.valid = judging.length > 0;
  if (group.valid) group.rows = judging;
}

/** Throws BadData if a class occurs on one side only. */
function checkShared(groups: readonly Group[]): void {
  const classesOf = (valid: boolean): string[] =>
    groups.filter((group) => group.valid === valid).flatMap(({ rows }) => rows.flatMap(labelsOf));
  const trained = new Set(classesOf(false));
  const judged = new Set(classesOf(true));
  if ([...judged].some((label) => trained.has(label))) return;
  throw new InvalidParameter('the rows to train on and those to validate on share no class', {
    detail: `To train on: ${someOf(trained)}. To validate on: ${someOf(judged)}. Rows whose input is validated on are not trained on.`,
    hint: 'No answer could be right: choose other rows with validation_source =>, validation_split => or validation_after =>.',
  });
}

function someOf(labels: ReadonlySet<string>): string {
  const shown = [...labels].sort().slice(0, 5);
  const names = shown.map((label) => `"${label.slice(0, 40)}"`).join(', ');
  return `${labels.size} classes${names === '' ? '' : `, such as ${names}`}`;
}

/** If all inputs of a class are on one side, moves the one nearest to the border. */
function coverClass(groups: readonly Group[]): void {
  const [first, ...others] = groups;
  const last = others.at(-1);
  if (first === undefined) return;
  if (last === undefined)
    first.valid = false; // a single input can only be learned
  else if (groups.every((group) => !group.valid)) first.valid = true;
  else if (groups.every((group) => group.valid)) last.valid = false;
}

function examplesOf(groups: readonly Group[], classes: readonly string[], task: Task): Examples {
  const rows = groups.flatMap((group) => group.rows.toSorted((a, b) => compare(textOf(a.label), textOf(b.label))));
  const places = new Map<unknown, number>(classes.map((label, i) => [label, i]));
  const indexOf = (label: unknown): number => places.get(label) ?? -1; // every label has its class
  const boxesOf = ({ label }: LabelledRow): Box[] =>
    typeof label === 'string' ? [] : label.map((box) => ({ ...box, label: indexOf(box.label) }));
  return {
    inputs: rows.map((row) => row.input),
    labels: task === 'object_detection' ? rows.map(boxesOf) : Int32Array.from(rows, ({ label }) => indexOf(label)),
  };
}

/** Rows of equal inputs are ordered by it. */
const textOf = (label: LabelledRow['label']): string => (typeof label === 'string' ? label : JSON.stringify(label));

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
