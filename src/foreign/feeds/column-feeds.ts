import { numbersOf, textValuesOf } from '../../domain/table.ts';
import type { RawInput } from '../../domain/task.ts';
import type { ForeignTensor } from '../../engine/foreign/session.ts';
import { BadData } from '../../errors/errors.ts';
import { elementsOf } from '../../features/columns/list.ts';
import { columnKind } from '../../features/columns/registry.ts';
import { rowsOf, type SomeRows } from '../../features/columns/table-rows.ts';
import type { ColumnsInput, ColumnsPlan, ForeignPlan } from '../plan.ts';

/** Rows of several columns → the tensors of a graph. Throws BadData for a value that a tensor cannot have. */
export function columnFeeds(
  inputs: readonly RawInput[],
  { input, columns }: ForeignPlan & { input: ColumnsPlan },
): Record<string, ForeignTensor> {
  const rows = rowsOf(inputs, columns);
  const kinds = new Map(columns.map(({ name, kind }) => [name, kind]));
  return Object.fromEntries(
    input.inputs.map((own) => [own.name, tensorOf(own, rows, { kinds, missing: input.missing })]),
  );
}

interface CellReading {
  kinds: ReadonlyMap<string, string>;
  missing: number | null;
}

function tensorOf(input: ColumnsInput, { table, rows }: SomeRows, { kinds, missing }: CellReading): ForeignTensor {
  const width = input.columns.reduce((sum, { length }) => sum + length, 0);
  const cells: (number | string | null)[] = new Array<number | string | null>(rows.length * width).fill(null);
  let at = 0;
  for (const { name, length } of input.columns) {
    const column = table.columns.get(name);
    if (column === undefined) throw new RangeError(`a table has no column "${name}"`);
    const isText = columnKind(kinds.get(name) ?? '').stored === 'text';
    rows.forEach((row, i) => {
      const value = isText ? textAt(textValuesOf(column), row) : numberAt(numbersOf(column), row);
      if (kinds.get(name) !== 'list') cells[i * width + at] = value;
      else for (const [k, number] of elements(value, name, length).entries()) cells[i * width + at + k] = number;
    });
    at += length;
  }
  return filled(input, { cells, shape: [rows.length, ...input.tail], missing });
}

const textAt = ({ codes, texts }: { codes: Int32Array; texts: readonly string[] }, row: number): string | null =>
  texts[codes[row] as number] ?? null;

function numberAt(numbers: ArrayLike<number>, row: number): number | null {
  const number = numbers[row] as number;
  return Number.isNaN(number) ? null : number;
}

/** Of an array, which is kept as a text. */
function elements(value: number | string | null, name: string, length: number): number[] {
  const numbers = elementsOf(String(value ?? '[]'));
  if (numbers.length === length) return numbers;
  throw new BadData(`an array in column "${name}" has ${numbers.length} numbers`, {
    detail: `The model reads ${length}.`,
    hint: 'Give arrays of that length.',
  });
}

interface Cells {
  cells: readonly (number | string | null)[];
  shape: number[];
  missing: number | null;
}

/** Whole numbers that a type has; of 64 bits those that a number of ours holds exactly. */
const ranges = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint8: [0, 2 ** 8 - 1],
  bool: [0, 1],
} as const;

function filled({ name, type, columns }: ColumnsInput, { cells, shape, missing }: Cells): ForeignTensor {
  if (type === 'string') return { type, shape, data: cells.map((cell) => (cell === null ? '' : String(cell))) };
  const numbers = cells.map((cell) => (cell === null ? (missing ?? Number.NaN) : Number(cell)));
  if (type === 'float32') return { type, shape, data: Float32Array.from(numbers) };
  if (type === 'float64') return { type, shape, data: Float64Array.from(numbers) };
  const [least, most] = ranges[type];
  const strange = numbers.find((number) => !Number.isInteger(number) || number < least || number > most);
  if (strange !== undefined) {
    throw new BadData(
      `input "${name}" of the model takes whole numbers from ${least} to ${most}, and a row has ${strange}`,
      {
        detail: `It is of type ${type}, made of ${columns.map((column) => column.name).join(', ')}; NaN stands for NULL.`,
        hint: 'Import it again with "missing": a number in place of NULL, or give such numbers.',
      },
    );
  }
  if (type === 'int64') return { type, shape, data: BigInt64Array.from(numbers, BigInt) };
  return { type, shape, data: type === 'int32' ? Int32Array.from(numbers) : Uint8Array.from(numbers) };
}
