import { createHash } from 'node:crypto';
import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import type { TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { TableRow } from '../domain/table.ts';
import type { DataSet, Examples, Task } from '../domain/task.ts';
import { BadData, InvalidParameter } from '../errors/errors.ts';
import type { LabelledRow } from './data-file.ts';
import { inputHash } from './input-hash.ts';

/** Rows grouped by input: equal inputs must not be split, so that no input is both trained and validated on. */
interface Groups {
  /** The rows ordered by the hash of their input, those with equal inputs by label. */
  order: Int32Array;
  /** Where each group starts in `order`; the last entry is its end. */
  starts: Int32Array;
  /** Whether a group is for validation, 0 or 1. */
  valid: Uint8Array;
}

/**
 * Splits rows into training and validation rows. The side depends on a row's input only, not on seed, study or order of reading:
 * a deployed model is compared with its successor on rows that it was not trained on. Every class with two inputs or more is on
 * both sides, and so are rows without classes. If the study's owner chose the validation rows, these are used, and training rows with the
 * same input are left out. Rows are returned ordered by hash, so that equal rows give equal data sets on every machine. `known` are the
 * classes of the whole data set, if these are the rows of a shard.
 */
export function splitRows(
  rows: readonly LabelledRow[],
  { task, validation, known }: { task: Task; validation: number; known?: readonly string[] },
): DataSet {
  const kind = kindOf(task);
  const labelsOf = ({ label }: LabelledRow): readonly string[] => kind.classesOf(label);
  const groups = groupByInput(rows, validation);
  const groupsOf = groupsByClass(rows, groups, labelsOf);
  const classes = [...(known ?? groupsOf.keys())].sort();
  checkClasses(rows, classes, kind);
  for (const label of classes) checkLabel(label); // files that were read by an earlier version
  checkClassCount(classes);
  const isChosen = rows.some((row) => row.validates !== undefined);
  if (isChosen) assignValidation(rows, groups);
  else if (classes.length === 0) coverSides([...groups.valid.keys()], groups.valid);
  else for (const label of classes) coverSides(groupsOf.get(label) ?? [], groups.valid);
  const sides = [false, true].map((valid) => rowsOfSide(rows, groups, { valid, isChosen }));
  const [train = [], valid = []] = sides;
  if (isChosen) checkCommonClass({ train, valid }, labelsOf);
  return { classes, train: examplesOf(train, classes, kind), valid: examplesOf(valid, classes, kind) };
}

/** Identifies the validation rows: scores of two trials can be compared, and their votes counted, if it is equal. */
export function validationHash({ classes, valid }: DataSet): Buffer {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  valid.inputs.forEach((input, row) => {
    const label = JSON.stringify(valid.labels[row]);
    if (input instanceof TableRow) hash.update(`\n${label} row ${inputHash(input)}`);
    else hash.update(`\n${label} ${input.length} `).update(input);
  });
  return hash.digest();
}

/** Identifies the rows of both sides: a trial initialised with weights trained on other rows could not be compared. */
export function snapshotHash(data: DataSet): Buffer {
  const sides = [validationHash(data), validationHash({ ...data, valid: data.train })];
  return createHash('sha256').update(Buffer.concat(sides)).digest();
}

/** Maximum of stored hashes of training inputs, as in `rafiki.validation`. */
export const MAX_TRAINED = 2 ** 18;

/** Hashes of the training inputs, as of `rafiki._input_hash`, each once, ascending; the first `max` of them. */
export function trainedInputs({ train }: DataSet, max = MAX_TRAINED): BigInt64Array {
  return BigInt64Array.from(new Set(train.inputs.map(inputHash)))
    .sort()
    .slice(0, max);
}

/** Number of the inputs that were trained on; estimated from the hashes up to the last stored one if not all are stored. */
export function countTrained(inputs: DataSet['valid']['inputs'], trained: BigInt64Array, max = MAX_TRAINED): number {
  const known = new Set(trained);
  const last = trained.length < max ? undefined : trained.at(-1);
  const hashes = inputs.map(inputHash).filter((hash) => last === undefined || hash <= last);
  const found = hashes.filter((hash) => known.has(hash)).length;
  return hashes.length === 0 ? 0 : Math.round((found / hashes.length) * inputs.length);
}

type LabelsOf = (row: LabelledRow) => readonly string[];

function checkClasses(rows: readonly LabelledRow[], classes: readonly string[], { minClasses }: TaskKind): void {
  if (classes.length >= minClasses.count) return;
  throw new BadData(minClasses.reason, {
    detail: `${rows.length} labelled rows${classes.length === 1 ? `, all "${classes[0]}"` : ''}`,
    hint: 'Check the target column and which rows of the source the owner of the study may see.',
  });
}

function groupByInput(rows: readonly LabelledRow[], validation: number): Groups {
  const hashes = new BigUint64Array(rows.length);
  rows.forEach(({ input }, row) => {
    hashes[row] = inputHash(input); // as unsigned, so that the order is that of the hexadecimal digits
  });
  const words = new Uint32Array(hashes.buffer); // for each row the low and the high half: much faster to compare than bigints
  const high = (row: number): number => words[2 * row + 1] as number;
  const low = (row: number): number => words[2 * row] as number;
  const text = (row: number): string => textOf((rows[row] as LabelledRow).label);
  const order = Int32Array.from(rows, (_, row) => row).sort(
    (a, b) => high(a) - high(b) || low(a) - low(b) || compare(text(a), text(b)) || a - b,
  );
  const isFirst = (row: number, place: number): boolean => {
    const before = order[place - 1];
    return before === undefined || high(before) !== high(row) || low(before) !== low(row);
  };
  const starts: number[] = [];
  const valid: number[] = [];
  order.forEach((row, place) => {
    if (!isFirst(row, place)) return;
    starts.push(place);
    valid.push(Number(high(row) / 2 ** 32 < validation));
  });
  return { order, starts: Int32Array.from([...starts, rows.length]), valid: Uint8Array.from(valid) };
}

/** The groups that have rows of a class, in order. */
function groupsByClass(
  rows: readonly LabelledRow[],
  { order, starts }: Groups,
  labelsOf: LabelsOf,
): Map<string, number[]> {
  const groupsOf = new Map<string, number[]>();
  let group = 0;
  order.forEach((row, place) => {
    if (place === starts[group + 1]) group++;
    for (const label of labelsOf(rows[row] as LabelledRow)) {
      const groups = groupsOf.get(label);
      if (groups === undefined) groupsOf.set(label, [group]);
      else if (groups.at(-1) !== group) groups.push(group);
    }
  });
  return groupsOf;
}

/** One validation row moves its input to the validation side. */
function assignValidation(rows: readonly LabelledRow[], { order, starts, valid }: Groups): void {
  valid.fill(0);
  let group = 0;
  order.forEach((row, place) => {
    if (place === starts[group + 1]) group++;
    if (rows[row]?.validates === true) valid[group] = 1;
  });
}

/** In order. Of an input that somebody chose to validate on, the training rows are left out. */
function rowsOfSide(
  rows: readonly LabelledRow[],
  { order, starts, valid }: Groups,
  side: { valid: boolean; isChosen: boolean },
): LabelledRow[] {
  const chosen: LabelledRow[] = [];
  let group = 0;
  order.forEach((place, at) => {
    if (at === starts[group + 1]) group++;
    const row = rows[place] as LabelledRow;
    const isLeftOut = side.isChosen && side.valid && row.validates !== true;
    if ((valid[group] === 1) === side.valid && !isLeftOut) chosen.push(row);
  });
  return chosen;
}

/** Training and validation rows need a class in common, if they have any: otherwise no answer can be right. */
function checkCommonClass(
  { train, valid }: { train: readonly LabelledRow[]; valid: readonly LabelledRow[] },
  labelsOf: LabelsOf,
): void {
  if (train.length === 0) {
    throw new InvalidParameter('no rows are left to train on', {
      detail: `All ${new Set(valid.map(({ input }) => inputHash(input))).size} distinct inputs are among the rows to validate on, which are not trained on.`,
      hint: 'Choose other rows with validation_source =>, validation_split => or validation_after =>.',
    });
  }
  const trained = new Set(train.flatMap(labelsOf));
  const validated = new Set(valid.flatMap(labelsOf));
  const hasClasses = trained.size + validated.size > 0;
  if (!hasClasses || [...validated].some((label) => trained.has(label))) return;
  throw new InvalidParameter('the rows to train on and those to validate on share no class', {
    detail: `To train on: ${sampleOf(trained)}. To validate on: ${sampleOf(validated)}. Rows whose input is validated on are not trained on.`,
    hint: 'No answer could be right: choose other rows with validation_source =>, validation_split => or validation_after =>.',
  });
}

function sampleOf(labels: ReadonlySet<string>): string {
  const shown = [...labels].sort().slice(0, 5);
  const names = shown.map((label) => `"${label.slice(0, 40)}"`).join(', ');
  return `${labels.size} classes${names === '' ? '' : `, such as ${names}`}`;
}

/** If all of these inputs are on one side, moves the one nearest to the border. */
function coverSides(groups: readonly number[], valid: Uint8Array): void {
  const [first, ...others] = groups;
  const last = others.at(-1);
  if (first === undefined) return;
  if (last === undefined)
    valid[first] = 0; // a single input is for training
  else if (groups.every((group) => valid[group] === 0)) valid[first] = 1;
  else if (groups.every((group) => valid[group] === 1)) valid[last] = 0;
}

function examplesOf(rows: readonly LabelledRow[], classes: readonly string[], kind: TaskKind): Examples {
  const indexes = new Map(classes.map((name, i) => [name, i]));
  const labels = rows.map((row) => row.label);
  return {
    inputs: rows.map((row) => row.input),
    labels: kind.indexed(labels, (name) => indexes.get(name) ?? -1), // every label has its class
  };
}

/** Sort key of rows with equal inputs. */
const textOf = (label: LabelledRow['label']): string => (typeof label === 'string' ? label : JSON.stringify(label));

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
