import { createHash } from 'node:crypto';
import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import type { TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import type { DataSet, Examples, Task } from '../domain/task.ts';
import { BadData, InvalidParameter } from '../errors/errors.ts';
import type { LabelledRow } from './data-file.ts';

/** Rows of one input, which stay together: a text that is trained on must not be validated on. */
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
  const kind = kindOf(task);
  const labelsOf = ({ label }: LabelledRow): readonly string[] => kind.classesOf(label);
  const groups = groupByInput(rows, validation, labelsOf);
  const classes = [...new Set(rows.flatMap(labelsOf))].sort();
  checkClasses(rows, classes, kind);
  for (const label of classes) checkLabel(label); // files that were read by an earlier version
  checkClassCount(classes);
  const isJudged = rows.some((row) => row.validates !== undefined);
  if (isJudged) {
    groups.forEach(judge);
    checkShared(groups, labelsOf);
  } else for (const label of classes) coverClass(groups.filter((group) => group.labels.has(label)));
  const side = (valid: boolean): Examples => {
    const chosen = groups.filter((group) => group.valid === valid);
    return examplesOf(chosen, classes, kind);
  };
  return { classes, train: side(false), valid: side(true) };
}

/** Names the validation rows: scores of two trials can be compared, and their votes counted, if it is the same. */
export function validationHash({ classes, valid }: DataSet): Buffer {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  valid.inputs.forEach((input, row) => {
    hash.update(`\n${JSON.stringify(valid.labels[row])} ${input.length} `).update(input);
  });
  return hash.digest();
}

/** Names the rows of both sides: a trial that started from weights learnt from other rows could not be compared. */
export function snapshotHash(data: DataSet): Buffer {
  const sides = [validationHash(data), validationHash({ ...data, valid: data.train })];
  return createHash('sha256').update(Buffer.concat(sides)).digest();
}

/** How many inputs are remembered as trained on; `rafiki.validation` has the same number. */
const MAX_TRAINED = 2 ** 18;

/** Names the inputs that were trained on, as `rafiki._input_hash` does: each once, ascending, the first of them where they are many. */
export function trainedInputs({ train }: DataSet, max = MAX_TRAINED): BigInt64Array {
  return BigInt64Array.from(new Set(train.inputs.map(inputHash)))
    .sort()
    .slice(0, max);
}

/** How many of the inputs are among those that were trained on; where not all of these are remembered, as their share tells. */
export function countTrained(inputs: DataSet['valid']['inputs'], trained: BigInt64Array, max = MAX_TRAINED): number {
  const known = new Set(trained);
  const last = trained.length < max ? undefined : trained.at(-1);
  const hashes = inputs.map(inputHash).filter((hash) => last === undefined || hash <= last);
  const among = hashes.filter((hash) => known.has(hash)).length;
  return hashes.length === 0 ? 0 : Math.round((among / hashes.length) * inputs.length);
}

const inputHash = (input: string | Uint8Array): bigint => createHash('sha256').update(input).digest().readBigInt64BE(0);

type LabelsOf = (row: LabelledRow) => readonly string[];

function checkClasses(rows: readonly LabelledRow[], classes: readonly string[], { leastClasses }: TaskKind): void {
  if (classes.length >= leastClasses.count) return;
  throw new BadData(leastClasses.reason, {
    detail: `${rows.length} labelled rows${classes.length === 1 ? `, all "${classes[0]}"` : ''}`,
    hint: 'Check the target column and what the owner of the study may see of the source.',
  });
}

function groupByInput(rows: readonly LabelledRow[], validation: number, labelsOf: LabelsOf): Group[] {
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

/** One row that validates takes the whole input to its side, where the others are no more. */
function judge(group: Group): void {
  const judging = group.rows.filter((row) => row.validates === true);
  group.valid = judging.length > 0;
  if (group.valid) group.rows = judging;
}

/** What is learnt of some classes cannot be judged by rows of others. */
function checkShared(groups: readonly Group[], labelsOf: LabelsOf): void {
  const classesOf = (valid: boolean): string[] =>
    groups.filter((group) => group.valid === valid).flatMap(({ rows }) => rows.flatMap(labelsOf));
  if (groups.every(({ valid }) => valid)) {
    throw new InvalidParameter('no rows are left to train on', {
      detail: `All ${groups.length} distinct inputs are among the rows to validate on, which are not trained on.`,
      hint: 'Choose other rows with validation_source =>, validation_split => or validation_after =>.',
    });
  }
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

/** Moves the input nearest to the border where all inputs of a class fell on one side. */
function coverClass(groups: readonly Group[]): void {
  const [first, ...others] = groups;
  const last = others.at(-1);
  if (first === undefined) return;
  if (last === undefined)
    first.valid = false; // a single input can only be learned
  else if (groups.every((group) => !group.valid)) first.valid = true;
  else if (groups.every((group) => group.valid)) last.valid = false;
}

function examplesOf(groups: readonly Group[], classes: readonly string[], kind: TaskKind): Examples {
  const rows = groups.flatMap((group) => group.rows.toSorted((a, b) => compare(textOf(a.label), textOf(b.label))));
  const places = new Map(classes.map((name, i) => [name, i]));
  const labels = rows.map((row) => row.label);
  return {
    inputs: rows.map((row) => row.input),
    labels: kind.indexed(labels, (name) => places.get(name) ?? -1), // every label has its class
  };
}

/** Rows of equal inputs are ordered by it. */
const textOf = (label: LabelledRow['label']): string => (typeof label === 'string' ? label : JSON.stringify(label));

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
