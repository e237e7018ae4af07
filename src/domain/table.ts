/** Of a table in Postgres. */
export const MAX_TABLE_COLUMNS = 1600;

/** A column that a model reads: its name in the source, and the name of its kind (`features/columns/registry.ts`). */
export interface InputColumn {
  name: string;
  kind: string;
}

/** The values of a column, row by row: numbers, NaN for null; or places in the distinct texts, −1 for null. */
export type ColumnValues = NumberValues | TextValues;

interface NumberValues {
  /** The name of the column's kind. */
  kind: string;
  numbers: Float32Array | Float64Array;
}

export interface TextValues {
  kind: string;
  codes: Int32Array;
  texts: readonly string[];
}

/** Rows of several columns, as typed arrays: objects with a value per column would take several times the memory. */
export interface Table {
  readonly length: number;
  /** In the order of the study's. */
  readonly columns: ReadonlyMap<string, ColumnValues>;
  /** Of each row: the first 64 bits of the SHA-256 of its JSON, as of `rafiki._input_hash`. */
  readonly hashes: BigInt64Array;
}

/** An input of several columns. */
export class TableRow {
  readonly table: Table;
  readonly row: number;

  constructor(table: Table, row: number) {
    this.table = table;
    this.row = row;
  }
}

/** The numbers 0 to n − 1: in a loop, because Int32Array.from takes ten times as long. */
export function firstRows(n: number): Int32Array {
  const rows = new Int32Array(n);
  for (let row = 1; row < n; row++) rows[row] = row;
  return rows;
}

/** A number of each text; in a loop, too. */
export function numbersOfTexts(texts: readonly string[], numberOf: (text: string) => number): Int32Array {
  const numbers = new Int32Array(texts.length);
  for (let i = 0; i < texts.length; i++) numbers[i] = numberOf(texts[i] as string);
  return numbers;
}

/** The numbers of a column; throws a RangeError for one of texts. */
export function numbersOf(values: ColumnValues): Float32Array | Float64Array {
  if ('numbers' in values) return values.numbers;
  throw new RangeError('a column of texts is read as numbers');
}

/** The texts of a column; throws a RangeError for one of numbers. */
export function textValuesOf(values: ColumnValues): TextValues {
  if ('codes' in values) return values;
  throw new RangeError('a column of numbers is read as texts');
}
