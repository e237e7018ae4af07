import { type ColumnValues, type InputColumn, type Table, TableRow } from '../../domain/table.ts';
import type { KeptColumn } from '../../domain/training.ts';
import { columnKind } from './registry.ts';
import type { SomeRows } from './table-rows.ts';

/** Characters of a text that is kept. */
const MAX_CHARS = 1000;
/** Of an object or a list: a list of 1,536 numbers in double precision has about 30,000. Explanations keep 32 rows. */
const MAX_JSON_CHARS = 1_000_000;

/** Rows as plain data, to be stored. */
export const keepRows = ({ table, rows }: SomeRows, maxJsonChars = MAX_JSON_CHARS): KeptColumn[] =>
  [...table.columns].map(([name, values]) => ({
    name,
    kind: values.kind,
    values: Array.from(rows, (row) => {
      if ('numbers' in values) return values.numbers[row] as number;
      return shortened(values.kind, values.texts[values.codes[row] as number], maxJsonChars);
    }),
  }));

/** A part of JSON is no JSON, and a part of a list another list: one that is too long counts as missing. */
function shortened(kind: string, text: string | undefined, maxJsonChars: number): string | null {
  if (text === undefined) return null;
  if (kind === 'text') return text.slice(0, MAX_CHARS);
  return text.length <= maxJsonChars ? text : null;
}

/** A row and some kept ones, from which further rows are mixed. */
export class MixedRows {
  readonly columns: readonly InputColumn[];
  /** How many are kept. */
  readonly kept: number;
  /** Of each column, first the row's value, then those of the kept rows. */
  readonly #values: readonly ColumnValues[];

  constructor(row: SomeRows, kept: readonly KeptColumn[]) {
    this.columns = kept.map(({ name, kind }) => ({ name, kind }));
    this.kept = kept[0]?.values.length ?? 0;
    this.#values = kept.map((column) => joined(row, column));
  }

  /** For each of `rows`, in each column the value of the row itself if `isOwn`, otherwise that of a kept row. */
  mix(rows: number, isOwn: (row: number, column: number) => boolean, keptOf: (row: number) => number): TableRow[] {
    const columns = this.#values.map((values, c): [string, ColumnValues] => {
      const place = (row: number): number => (isOwn(row, c) ? 0 : 1 + keptOf(row));
      return [
        this.columns[c]?.name ?? '',
        gathered(
          values,
          Int32Array.from({ length: rows }, (_, row) => place(row)),
        ),
      ];
    });
    const table: Table = { length: rows, columns: new Map(columns), hashes: new BigInt64Array(0) };
    return Array.from({ length: rows }, (_, row) => new TableRow(table, row));
  }
}

function joined({ table, rows }: SomeRows, { name, kind, values }: KeptColumn): ColumnValues {
  const own = table.columns.get(name);
  const row = rows[0] as number;
  if (columnKind(kind).stored === 'text') {
    const text = own !== undefined && 'codes' in own ? own.texts[own.codes[row] as number] : undefined;
    const texts = [...new Set([text, ...values])].filter((value): value is string => typeof value === 'string');
    return { kind, texts, codes: Int32Array.from([text, ...values], (value) => texts.indexOf(value as string)) };
  }
  const number = own !== undefined && 'numbers' in own ? (own.numbers[row] as number) : Number.NaN;
  const numbers = [number, ...values.map(Number)];
  return {
    kind,
    numbers: columnKind(kind).stored === 'float64' ? Float64Array.from(numbers) : Float32Array.from(numbers),
  };
}

function gathered(values: ColumnValues, places: Int32Array): ColumnValues {
  if ('codes' in values) return { ...values, codes: places.map((place) => values.codes[place] as number) };
  const { kind, numbers } = values;
  const taken = numbers instanceof Float64Array ? new Float64Array(places.length) : new Float32Array(places.length);
  for (const [i, place] of places.entries()) taken[i] = numbers[place] as number;
  return { kind, numbers: taken };
}
