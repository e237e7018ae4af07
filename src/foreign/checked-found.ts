import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import { isEnsembleRule, MAX_VERSION_MEMBERS } from '../domain/ensembles/rule.ts';
import { MAX_IMPORT_BYTES } from '../domain/import-limits.ts';
import { type InputColumn, MAX_TABLE_COLUMNS } from '../domain/table.ts';
import { inputOf, outputOf, type Task } from '../domain/task.ts';
import type { ExplanationData, FittedFeatures, TrainedModel } from '../domain/training.ts';
import { BadData } from '../errors/errors.ts';
import { columnKinds } from '../features/columns/registry.ts';
import { hasExternalData } from '../graph/onnx-fields.ts';
import { isWithinExtent } from './extent.ts';
import type { CheckedImport, ImportedMember, NamedEncoder } from './messages.ts';
import { weightsElsewhere } from './onnx-check.ts';

/** Of a column, in bytes. */
const MAX_NAME_BYTES = 63;
/** Of a family or an encoder. */
const MAX_NAME_CHARS = 63;

type ReportedFields = Readonly<Record<string, unknown>>;

/**
 * What a process that checks a file has reported, as far as it can be a version: a graph may have taken the process over, and an export be
 * forged. What is not known here is left out. Throws BadData.
 */
export function checkedFound(found: unknown, task: Task): CheckedImport {
  const { rule, classes, accuracies, columns, members } = fieldsOf(found);
  if (!isEnsembleRule(rule)) throw unfit('rule');
  if (!Array.isArray(members) || members.length === 0) throw unfit('members');
  if (members.length > MAX_VERSION_MEMBERS) throw tooManyMembers(members.length);
  const read = members.map(memberOf);
  const said = read.map(({ model: { features, explaining } }) => ({ features, explaining }));
  if (!isWithinExtent(said)) throw unfit('extent');
  for (const [place, member] of read.entries()) checkVariant(member, place, read);
  if (read.reduce((sum, { model }) => sum + bytesOf(model), 0) > MAX_IMPORT_BYTES) throw unfit('size');
  return {
    ...{ rule, classes: classesOf(classes, task), accuracies: accuraciesOf(accuracies, read.length) },
    ...{ columns: columnsOf(columns, task), members: read },
  };
}

const isNumberWithin = (value: unknown, least: number, most: number): value is number =>
  typeof value === 'number' && value >= least && value <= most;

/** No text of Postgres has NUL, and no jsonb half of a pair of surrogates. */
const isStorable = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_CHARS && isStorable(value);

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

function classesOf(classes: unknown, task: Task): string[] {
  if (!isTextList(classes) || new Set(classes).size < classes.length) throw unfit('classes');
  if ((classes.length === 0) !== (outputOf(task) === 'number')) throw unfit('classes');
  if (!classes.every(isStorable)) throw unfit('classes');
  for (const label of classes) checkLabel(label);
  checkClassCount(classes);
  return classes;
}

/** Of each subset; they decide which members answer where time is short. */
function accuraciesOf(accuracies: unknown, members: number): number[] | null {
  if (accuracies === null || accuracies === undefined) return null;
  const fits = Array.isArray(accuracies) && accuracies.length === 2 ** members;
  if (!fits || !accuracies.every((share) => isNumberWithin(share, 0, 1))) throw unfit('accuracies');
  return accuracies as number[];
}

function columnsOf(columns: unknown, task: Task): InputColumn[] | null {
  if (inputOf(task) !== 'columns') return null;
  if (!Array.isArray(columns) || columns.length === 0 || columns.length > MAX_TABLE_COLUMNS) throw unfit('columns');
  return columns.map((column: unknown): InputColumn => {
    const { name, kind } = fieldsOf(column);
    const known = columnKinds.find((each) => each.name === kind);
    const isColumn = typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= MAX_NAME_BYTES;
    if (!isColumn || known === undefined || !isStorable(name)) throw unfit('columns');
    return { name, kind: known.name };
  });
}

function memberOf(member: unknown): ImportedMember {
  const { family, precision, weight, temperature, variantOf = null, model, encoder } = fieldsOf(member);
  if (!isName(family) || (precision !== 'float32' && precision !== 'int8')) throw unfit('family');
  if (!isNumberWithin(weight, 0, 1) || !isNumberWithin(temperature, Number.MIN_VALUE, Number.MAX_VALUE))
    throw unfit('weight');
  if (variantOf !== null && !isNumberWithin(variantOf, 0, MAX_VERSION_MEMBERS)) throw unfit('variant_of');
  const read: ImportedMember = { family, precision, weight, temperature, variantOf, model: modelOf(model) };
  return encoder === undefined ? read : { ...read, encoder: encoderOf(encoder) };
}

/** A variant is one of a member in full precision before it. */
function checkVariant({ family, precision, variantOf }: ImportedMember, place: number, all: ImportedMember[]): void {
  const isOriginal = (one: ImportedMember | undefined): boolean => one?.precision === 'float32';
  const isRight =
    precision === 'float32'
      ? variantOf === null
      : variantOf === null
        ? all.some((other) => other.family === family && isOriginal(other))
        : variantOf < place && isOriginal(all[variantOf]);
  if (!isRight) throw unfit('variant_of');
}

function encoderOf(encoder: unknown): NamedEncoder {
  const { name = null, hash } = fieldsOf(encoder);
  if (!(name === null || isName(name)) || typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
    throw unfit('encoder');
  return { name, hash };
}

function modelOf(model: unknown): TrainedModel {
  const { onnx, features, explaining } = fieldsOf(model);
  if (!(onnx instanceof Uint8Array)) throw unfit('model');
  checkOneFile(onnx);
  return {
    ...{ onnx, features: featuresOf(features) },
    ...(explaining === undefined ? {} : { explaining: explainingOf(explaining) }),
  };
}

/** The graph itself may be what took the process over, so its check there counts for nothing. */
function checkOneFile(onnx: Uint8Array): void {
  let isElsewhere: boolean;
  try {
    isElsewhere = hasExternalData(onnx);
  } catch {
    throw unfit('model');
  }
  if (isElsewhere) throw weightsElsewhere();
}

/** Without an encoder's number, which the importer finds. */
function featuresOf(features: unknown): FittedFeatures {
  const { encoder, state, classes, target } = fieldsOf(features);
  if (!isName(encoder) || !isTextList(classes)) throw unfit('features');
  const read = { encoder, state: { ...fieldsOf(state) }, classes };
  if (target === undefined) return read;
  const { mean, scale } = fieldsOf(target);
  if (typeof mean !== 'number' || typeof scale !== 'number') throw unfit('target');
  return { ...read, target: { mean, scale } };
}

/** What it says is read by the owner's process alone. */
function explainingOf(explaining: unknown): ExplanationData {
  const given = fieldsOf(explaining);
  const { kind, columns, tensors } = given;
  const isKnown =
    kind === 'rows' ? Array.isArray(columns) : (kind === 'forest' || kind === 'sum') && areTensors(tensors);
  if (!isKnown) throw unfit('explaining');
  return given as unknown as ExplanationData;
}

const areTensors = (tensors: unknown): boolean =>
  Object.values(fieldsOf(tensors)).every((tensor) => {
    const { dtype, shape, data } = fieldsOf(tensor);
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isInteger(size));
    return typeof dtype === 'string' && isShape && ArrayBuffer.isView(data);
  });

const bytesOf = ({ onnx, explaining }: TrainedModel): number =>
  onnx.length +
  (explaining === undefined || explaining.kind === 'rows'
    ? 0
    : Object.values(explaining.tensors).reduce((sum, { data }) => sum + data.byteLength, 0));

function fieldsOf(value: unknown): ReportedFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ReportedFields;
  throw unfit('form');
}

const unfit = (what: string): BadData =>
  new BadData('what the file says of the model cannot be', {
    detail: `The part that is wrong: ${what}.`,
    hint: 'Export the model again.',
  });

export const tooManyMembers = (members: number): BadData =>
  new BadData('the file has more members than a model can have', {
    detail: `It has ${members}; the maximum is ${MAX_VERSION_MEMBERS}.`,
    hint: 'Export the model again.',
  });
