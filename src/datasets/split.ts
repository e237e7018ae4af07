import { createHash } from 'node:crypto';
import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import type { TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import type { DataSet, Examples, Task } from '../domain/task.ts';
import { BadData, InvalidParameter } from '../errors/errors.ts';
import type { LabelledRow } from './data-file.ts';

/** Rows with the same input, which must not be split: no input is both trained and validated on. */
interface Group {
  /** Uniform in [0, 1), from the input's hash. */
  position: number;
  hash: string;
  rows: LabelledRow[];
  labels: Set<string>;
  valid: boolean;
}

/**
 * Splits rows into training and validation rows. The side depends on a row's input only, not on seed, study or order of reading:
 * a deployed model is compared with its successor on rows that it was not trained on. Every class with two inputs or more is on
 * both sides. If the study's owner chose the validation rows, these are used, and training rows with the same input are left out.
 * Rows are returned ordered by hash, so that equal rows give equal data sets on every machine.
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
  const hasValidationRows = rows.some((row) => row.validates !== undefined);
  if (hasValidationRows) {
    groups.forEach(assignValidation);
    checkCommonClass(groups, labelsOf);
  } else for (const label of classes) coverClass(groups.filter((group) => group.labels.has(label)));
  const side = (valid: boolean): Examples => {
    const chosen = groups.filter((group) => group.valid === valid);
    return examplesOf(chosen, classes, kind);
  };
  return { classes, train: side(false), valid: side(true) };
}

/** Identifies the validation rows: scores of two trials can be compared, and their votes counted, if it is equal. */
export function validationHash({ classes, valid }: DataSet): Buffer {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  valid.inputs.forEach((input, row) => {
    hash.update(`\n${JSON.stringify(valid.labels[row])} ${input.length} `).update(input);
  });
  return hash.digest();
}

/** Identifies the rows of both sides: a trial initialised with weights trained on other rows could not be compared. */
export function snapshotHash(data: DataSet): Buffer {
  const sides = [validationHash(data), validationHash({ ...data, valid: data.train })];
  return createHash('sha256').update(Buffer.concat(sides)).digest();
}

/** Maximum of stored hashes of training inputs, as in `rafiki.validation`. */
const MAX_TRAINED = 2 ** 18;

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

const inputHash = (input: string | Uint8Array): bigint => createHash('sha256').update(input).digest().readBigInt64BE(0);

type LabelsOf = (row: LabelledRow) => readonly string[];

function checkClasses(rows: readonly LabelledRow[], classes: readonly string[], { minClasses }: TaskKind): void {
  if (classes.length >= minClasses.count) return;
  throw new BadData(minClasses.reason, {
    detail: `${rows.length} labelled rows${classes.length === 1 ? `, all "${classes[0]}"` : ''}`,
    hint: 'Check the target column and which rows of the source the owner of the study may see.',
  });
}

function groupByInput(rows: readonly LabelledRow[], validation: number, labelsOf: LabelsOf): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const digest = createHash('sha256').update(row.input).digest();
    const hash = digest.toString('hex');
    const position = digest.readUInt32BE(0) / 2 ** 32;
    const group = groups.get(hash) ?? { position, hash, rows: [], labels: new Set(), valid: position < validation };
    group.rows.push(row);
    for (const label of labelsOf(row)) group.labels.add(label);
    groups.set(hash, group);
  }
  return [...groups.values()].sort((a, b) => compare(a.hash, b.hash));
}

/** One validation row moves its input to the validation side; the input's training rows are left out. */
function assignValidation(group: Group): void {
  const validationRows = group.rows.filter((row) => row.validates === true);
  group.valid = validationRows.length > 0;
  if (group.valid) group.rows = validationRows;
}

/** Training and validation rows need a class in common: otherwise no answer can be right. */
function checkCommonClass(groups: readonly Group[], labelsOf: LabelsOf): void {
  const classesOf = (valid: boolean): string[] =>
    groups.filter((group) => group.valid === valid).flatMap(({ rows }) => rows.flatMap(labelsOf));
  if (groups.every(({ valid }) => valid)) {
    throw new InvalidParameter('no rows are left to train on', {
      detail: `All ${groups.length} distinct inputs are among the rows to validate on, which are not trained on.`,
      hint: 'Choose other rows with validation_source =>, validation_split => or validation_after =>.',
    });
  }
  const trained = new Set(classesOf(false));
  const validated = new Set(classesOf(true));
  if ([...validated].some((label) => trained.has(label))) return;
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

/** If all inputs of a class are on one side, moves the one nearest to the border. */
function coverClass(groups: readonly Group[]): void {
  const [first, ...others] = groups;
  const last = others.at(-1);
  if (first === undefined) return;
  if (last === undefined)
    first.valid = false; // a single input is for training
  else if (groups.every((group) => !group.valid)) first.valid = true;
  else if (groups.every((group) => group.valid)) last.valid = false;
}

function examplesOf(groups: readonly Group[], classes: readonly string[], kind: TaskKind): Examples {
  const rows = groups.flatMap((group) => group.rows.toSorted((a, b) => compare(textOf(a.label), textOf(b.label))));
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
