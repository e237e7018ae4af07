import { type ColumnValues, textValuesOf } from '../../domain/table.ts';
import { unfit } from '../state.ts';
import { booleanKind } from './boolean.ts';
import type { ColumnFeature, ColumnKind, ColumnState, TextKind } from './column-kind.ts';
import type { ColumnTargets } from './column-targets.ts';
import { numberKind } from './number.ts';
import { rememberLast } from './remember-last.ts';
import { textKind } from './text.ts';

/** A key of fewer rows teaches nothing; of more keys the most frequent ones are read. */
const MIN_ROWS = 4;
const MAX_KEYS = 64;
/** Keys of an object that are looked at. */
const MAX_READ_KEYS = 1000;
/** From this share of texts on all values of a key are texts. */
const MIN_TEXTS = 0.05;

type Plain = string | number | boolean;
const isPlain = (value: unknown): value is Plain =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** How the values of a key are read. */
const kinds: Readonly<Record<string, ColumnKind>> = { number: numberKind, boolean: booleanKind, text: textKind };

/** A key with its own features. */
interface FittedKey {
  key: string;
  kind: string;
  state: ColumnState;
}

/**
 * JSON objects, one level deep: each key that enough rows have is a column, of numbers, truth values or texts. What is nested deeper is not
 * read: it counts as missing, as null does.
 */
export const objectKind: TextKind = {
  name: 'object',
  title: 'a JSON object',
  types: ['jsonb', 'json'],
  stored: 'text',
  read(value) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value)
      .slice(0, MAX_READ_KEYS)
      .filter(([, each]) => isPlain(each))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify(Object.fromEntries(entries)); // one level only: it cannot be nested too deeply to be written
  },
  fit(column, rows, targets) {
    const objects = objectsOf(textValuesOf(column).texts);
    const keys = frequentKeys(objects, column, rows).map((key) => fittedKey(key, { objects, column, rows, targets }));
    return { keys };
  },
  features(state) {
    const keys = readKeys(state);
    const columnsOf = rememberLast((texts: readonly string[]) => keyColumns(objectsOf(texts), keys));
    const valuesOf = (column: ColumnValues, k: number): ColumnValues =>
      columnsOf(textValuesOf(column).texts)[k] as ColumnValues;
    if (keys.length === 0) return [keyCount];
    return keys.flatMap(({ key, kind, state: own }, k) =>
      kindOf(kind)
        .features(own)
        .map((feature) => featureOfKey(feature, { key, valuesOf: (column) => valuesOf(column, k) })),
    );
  },
};

/** Of objects without common keys. */
const keyCount: ColumnFeature = {
  part: 'keys',
  categories: 0,
  values(column, rows) {
    const counts = [...objectsOf(textValuesOf(column).texts).map((object) => object.size), Number.NaN];
    return Float32Array.from(rowsOfTexts(column, rows), (row) => counts[row] as number);
  },
};

function featureOfKey(
  { part, categories, values, trainingValues }: ColumnFeature,
  { key, valuesOf }: { key: string; valuesOf(column: ColumnValues): ColumnValues },
): ColumnFeature {
  return {
    part: part === '' ? key : `${key} ${part}`,
    categories,
    values: (column, rows) => values(valuesOf(column), rowsOfTexts(column, rows)),
    ...(trainingValues && {
      trainingValues: (column: ColumnValues, rows: Int32Array, targets: ColumnTargets) =>
        trainingValues(valuesOf(column), rowsOfTexts(column, rows), targets),
    }),
  };
}

/** The columns of keys have a row for each distinct text, and one more for NULL. */
function rowsOfTexts(column: ColumnValues, rows: Int32Array): Int32Array {
  const { codes, texts } = textValuesOf(column);
  return rows.map((row) => {
    const code = codes[row] as number;
    return code < 0 ? texts.length : code;
  });
}

type PlainObject = ReadonlyMap<string, Plain>;

function objectsOf(texts: readonly string[]): PlainObject[] {
  return texts.map((text) => {
    const value: unknown = JSON.parse(text);
    return new Map(Object.entries(value ?? {}).filter((entry): entry is [string, Plain] => isPlain(entry[1])));
  });
}

/** The most frequent keys, by name. */
function frequentKeys(objects: readonly PlainObject[], column: ColumnValues, rows: Int32Array): string[] {
  const counts = new Map<string, number>();
  for (const code of rowsOfTexts(column, rows))
    for (const key of objects[code]?.keys() ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count >= MIN_ROWS)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, MAX_KEYS)
    .map(([key]) => key)
    .sort();
}

interface FitGiven {
  objects: readonly PlainObject[];
  column: ColumnValues;
  rows: Int32Array;
  targets: ColumnTargets | undefined;
}

function fittedKey(key: string, { objects, column, rows, targets }: FitGiven): FittedKey {
  const own = rowsOfTexts(column, rows);
  const counts = { string: 0, number: 0, boolean: 0 };
  for (const row of own) {
    const value = objects[row]?.get(key);
    if (value !== undefined) counts[typeof value as keyof typeof counts]++;
  }
  const total = counts.string + counts.number + counts.boolean;
  const kind = counts.string >= MIN_TEXTS * total ? 'text' : counts.number > 0 ? 'number' : 'boolean';
  const [values] = keyColumns(objects, [{ key, kind }]);
  return { key, kind, state: kindOf(kind).fit(values as ColumnValues, own, targets) };
}

function keyColumns(objects: readonly PlainObject[], keys: readonly Pick<FittedKey, 'key' | 'kind'>[]): ColumnValues[] {
  return keys.map(({ key, kind }) => {
    const values = [...objects.map((object) => object.get(key)), undefined];
    return kind === 'text' ? textColumn(values) : numberColumn(kind, values);
  });
}

function numberColumn(kind: string, values: readonly (Plain | undefined)[]): ColumnValues {
  const numbers = Float32Array.from(values, (value) => {
    const read = typeof value === 'boolean' ? Number(value) : numberKind.read(value);
    return typeof read === 'number' ? read : Number.NaN;
  });
  return { kind, numbers };
}

function textColumn(values: readonly (Plain | undefined)[]): ColumnValues {
  const places = new Map<string, number>();
  const codes = Int32Array.from(values, (value) => {
    if (value === undefined) return -1;
    const text = String(value);
    const code = places.get(text) ?? places.size;
    places.set(text, code);
    return code;
  });
  return { kind: 'text', codes, texts: [...places.keys()] };
}

function kindOf(name: string): ColumnKind {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) throw unfit('kind', 'number, boolean or text');
  return kind;
}

function readKeys({ keys }: ColumnState): readonly FittedKey[] {
  if (Array.isArray(keys) && keys.every(isFittedKey)) return keys;
  throw unfit('keys', 'a list of fitted keys');
}

const isFittedKey = (value: unknown): value is FittedKey =>
  typeof value === 'object' &&
  value !== null &&
  'key' in value &&
  typeof value.key === 'string' &&
  'kind' in value &&
  typeof value.kind === 'string' &&
  'state' in value &&
  typeof value.state === 'object';
