import { numbersOf } from '../../domain/table.ts';
import type { ColumnFeature, NumberKind } from './column-kind.ts';

/** As `to_json` writes what is no number in JSON. */
const special: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** In linear time for whatever is given: digits are matched in one way only. */
const decimal = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/** Also in a text, as programs write numbers that JSON's readers would round. */
function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (Object.hasOwn(special, value)) return special[value];
  return decimal.test(value) ? Number(value) : undefined;
}

/** The numbers of a column as they are. */
export const plainNumbers: ColumnFeature = {
  part: '',
  categories: 0,
  values(column, rows) {
    const numbers = numbersOf(column);
    const values = new Float32Array(rows.length); // a loop: Float32Array.from takes ten times as long
    for (let i = 0; i < rows.length; i++) values[i] = numbers[rows[i] as number] as number;
    return values;
  },
};

/**
 * Numbers, rounded to single precision, as all networks use them: digits after the seventh are lost, so are those of an int8 beyond
 * 2^24, and what is above 3.4e38 is infinite. NaN is NULL.
 */
export const numberKind: NumberKind = {
  name: 'number',
  title: 'a number',
  types: ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric'],
  stored: 'float32',
  read: readNumber,
  fit: () => ({}),
  features: () => [plainNumbers],
};
