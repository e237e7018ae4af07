import { MAX_TABLE_COLUMNS } from '../domain/table.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { type OutputKindOf, outputKinds } from './plan.ts';

/** What a user says of a file, where the file does not: docs/importing.md. */
export interface ImportSpec {
  classes?: string[];
  input?: string;
  image?: ImageSpec;
  tokenizer?: object;
  maxTokens?: number;
  prefix?: string;
  columns?: ColumnSpec[];
  missing?: number;
  output?: string;
  outputKind?: OutputKindOf;
  examples?: unknown[];
}

interface ImageSpec {
  size?: number | [height: number, width: number];
  resize?: number;
  fit?: 'crop' | 'stretch';
  layout?: 'nchw' | 'nhwc';
  channels?: 'rgb' | 'bgr' | 'grey';
  scale?: number;
  mean?: number[];
  std?: number[];
}

export interface ColumnSpec {
  name: string;
  /** A kind of column: number, boolean, text or list. */
  type: 'number' | 'boolean' | 'text' | 'list';
  /** The input of the graph that it is for; default: all are for the one input, or each for the one of its name. */
  input?: string;
  /** Of an array. */
  length?: number;
}

/** Rows that are kept for explanations. */
const MAX_EXAMPLES = 32;
/** Pixels of a side. */
const MAX_SIDE = 4096;
const MAX_TOKENS = 8192;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole =
  (most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
const isOneOf =
  (...known: readonly string[]): Check =>
  (value) =>
    known.includes(value as string);
const isListOf =
  (check: Check, most = 10_000): Check =>
  (value) =>
    Array.isArray(value) && value.length >= 1 && value.length <= most && value.every(check);

interface Field {
  /** Its name in {@link ImportSpec}, if it is another. */
  as?: string;
  check: Check;
  says: string;
}

const imageFields: Readonly<Record<string, Field>> = {
  size: {
    check: (value) =>
      isWhole(MAX_SIDE)(value) || (isListOf(isWhole(MAX_SIDE), 2)(value) && (value as unknown[]).length === 2),
    says: 'the side in pixels, or [height, width]',
  },
  resize: { check: isWhole(MAX_SIDE), says: 'the shorter side in pixels before the middle is cut out' },
  fit: { check: isOneOf('crop', 'stretch'), says: 'crop or stretch' },
  layout: { check: isOneOf('nchw', 'nhwc'), says: 'nchw or nhwc' },
  channels: { check: isOneOf('rgb', 'bgr', 'grey'), says: 'rgb, bgr or grey' },
  scale: { check: (value) => isNumber(value) && value !== 0, says: 'a number that pixels are divided by' },
  mean: { check: isListOf(isNumber, 3), says: 'a number for each colour' },
  std: { check: isListOf((value) => isNumber(value) && value !== 0, 3), says: 'a number for each colour, none 0' },
};

const columnFields: Readonly<Record<string, Field>> = {
  name: { check: isText, says: 'the name of a column' },
  type: { check: isOneOf('number', 'boolean', 'text', 'list'), says: 'number, boolean, text or list' },
  input: { check: isText, says: 'the name of an input of the graph' },
  length: { check: isWhole(100_000), says: 'how many numbers its arrays have' },
};

const fields: Readonly<Record<string, Field>> = {
  classes: { check: isListOf(isText), says: 'a list of names, in the order of the outputs' },
  input: { check: isText, says: 'the name of the input of the graph' },
  image: { check: (value) => isObject(value), says: 'an object' },
  tokenizer: { check: isObject, says: 'the object in a tokenizer.json of Hugging Face' },
  max_tokens: { as: 'maxTokens', check: isWhole(MAX_TOKENS), says: `a number from 1 to ${MAX_TOKENS}` },
  prefix: { check: isText, says: 'a text that comes before each text' },
  columns: { check: isListOf(isObject, MAX_TABLE_COLUMNS), says: 'a list of {"name": …, "type": …}' },
  missing: { check: isNumber, says: 'the number in place of NULL' },
  output: { check: isText, says: 'the name of an output of the graph' },
  output_kind: { as: 'outputKind', check: isOneOf(...outputKinds), says: outputKinds.join(', ') },
  examples: { check: isListOf(isObject, MAX_EXAMPLES), says: `a list of at most ${MAX_EXAMPLES} rows` },
};

/** Throws InvalidParameter for a field that is unknown, or whose value is of another kind. */
export function readSpec(value: Readonly<Record<string, unknown>>): ImportSpec {
  const spec = checked(value, fields, '') as ImportSpec;
  if (spec.image !== undefined) spec.image = checked(spec.image, imageFields, 'image.') as ImageSpec;
  if (spec.columns !== undefined) spec.columns = spec.columns.map(readColumn);
  return spec;
}

function readColumn(column: object, i: number): ColumnSpec {
  const read = checked(column, columnFields, `columns[${i}].`) as Partial<ColumnSpec>;
  if (read.name === undefined) throw wrong(`columns[${i}].name`, 'the name of a column', undefined);
  return { ...read, name: read.name, type: read.type ?? 'number' };
}

function checked(value: object, known: Readonly<Record<string, Field>>, at: string): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [name, own] of Object.entries(value)) {
    const field = Object.hasOwn(known, name) ? known[name] : undefined;
    if (field === undefined) {
      throw new InvalidParameter(`spec has the unknown field "${(at + name).slice(0, 80)}"`, {
        hint: `Its fields${at === '' ? '' : ` of ${at.slice(0, -1)}`}: ${Object.keys(known).join(', ')}.`,
      });
    }
    if (own === null) continue;
    if (!field.check(own)) throw wrong(at + name, field.says, own);
    read[field.as ?? name] = own;
  }
  return read;
}

const wrong = (name: string, says: string, value: unknown): InvalidParameter =>
  new InvalidParameter(`the field "${name}" of spec is not what it must be`, {
    detail: `It is ${(JSON.stringify(value) ?? 'missing').slice(0, 80)}.`,
    hint: `It must be ${says}.`,
  });
