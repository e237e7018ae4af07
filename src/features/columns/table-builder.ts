import type { ColumnValues, InputColumn, Table } from '../../domain/table.ts';
import { BadData } from '../../errors/errors.ts';
import type { ColumnKind } from './column-kind.ts';
import { columnKind } from './registry.ts';

/** Reads rows, each a JSON object of its columns, into typed columns. Further columns are ignored. */
export class TableBuilder {
  readonly #columns: readonly ColumnBuilder[];
  #rows = 0;

  constructor(columns: readonly InputColumn[]) {
    this.#columns = columns.map((column) => builderOf(column));
  }

  /**
   * Throws {@link BadData} for a text that is no JSON object, a missing column, or a value that is not of its column's kind; then nothing of the
   * row has been added.
   */
  add(json: string): void {
    const row = objectOf(json);
    const cells: CellValue[] = [];
    for (const column of this.#columns) {
      const { name } = column;
      if (!Object.hasOwn(row, name)) throw missing(name, this.#columns, Object.keys(row));
      const value = row[name];
      cells.push(value === null ? null : read(value, column));
    }
    for (let i = 0; i < cells.length; i++) this.#columns[i]?.push(cells[i] as CellValue);
    this.#rows++;
  }

  /** The rows since the last call. */
  take(): Pick<Table, 'length' | 'columns'> {
    const columns = new Map(this.#columns.map((column) => [column.name, column.take()]));
    const length = this.#rows;
    this.#rows = 0;
    return { length, columns };
  }
}

type CellValue = number | string | null;

function objectOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (isObject(value)) return value;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new BadData('the model reads columns, but the input is no JSON object', {
    detail: `It is ${shortened(json, 60)}`,
    hint: 'Give a row, as in rafiki_predict(model, c) from customers c, or an object: jsonb_build_object(…).',
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function read(value: unknown, { name, kind }: ColumnBuilder): CellValue {
  const found = kind.read(value);
  if (found !== undefined) return found;
  throw new BadData(`column "${name}" cannot be read as ${kind.title}`, {
    detail: `It is ${shownOf(value)}.`,
    hint: 'Give the column the type that it had when the model was trained, or train again.',
  });
}

/** No object is written out: it may be nested so deeply that this fails. */
function shownOf(value: unknown): string {
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object';
  return JSON.stringify(shortened(String(value), 60));
}

const shortened = (text: string, chars: number): string =>
  text.length > chars ? `${text.slice(0, chars - 1)}…` : text;

const MAX_NAMES = 20;
/** Names of Postgres have at most as many bytes. */
const MAX_NAME_CHARS = 63;

function missing(name: string, columns: readonly { name: string }[], given: readonly string[]): BadData {
  const list = (names: readonly string[]): string => {
    const shown = names
      .slice(0, MAX_NAMES)
      .map((each) => shortened(each, MAX_NAME_CHARS))
      .join(', ');
    return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
  };
  return new BadData(`the input has no column "${name}"`, {
    detail: `The model reads ${list(columns.map((column) => column.name))}. The input has ${given.length === 0 ? 'no columns' : list(given)}.`,
    hint: 'Give a row with these columns; names are matched exactly, upper and lower case too.',
  });
}

interface ColumnBuilder {
  name: string;
  kind: ColumnKind;
  push(value: CellValue): void;
  take(): ColumnValues;
}

function builderOf(column: InputColumn): ColumnBuilder {
  const kind = columnKind(column.kind);
  return kind.stored === 'text' ? new TextBuilder(column.name, kind) : new NumberBuilder(column.name, kind);
}

class NumberBuilder implements ColumnBuilder {
  readonly name: string;
  readonly kind: ColumnKind;
  #values: number[] = [];

  constructor(name: string, kind: ColumnKind) {
    this.name = name;
    this.kind = kind;
  }

  push(value: CellValue): void {
    this.#values.push(value === null ? Number.NaN : Number(value));
  }

  take(): ColumnValues {
    const { name, stored } = this.kind;
    const numbers = stored === 'float64' ? new Float64Array(this.#values) : new Float32Array(this.#values);
    this.#values = [];
    return { kind: name, numbers };
  }
}

class TextBuilder implements ColumnBuilder {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly #places = new Map<string, number>();
  #codes: number[] = [];

  constructor(name: string, kind: ColumnKind) {
    this.name = name;
    this.kind = kind;
  }

  push(value: CellValue): void {
    if (value === null) return void this.#codes.push(-1);
    const text = String(value);
    let code = this.#places.get(text);
    if (code === undefined) {
      code = this.#places.size;
      this.#places.set(text, code);
    }
    this.#codes.push(code);
  }

  take(): ColumnValues {
    const values = { kind: this.kind.name, codes: new Int32Array(this.#codes), texts: [...this.#places.keys()] };
    this.#places.clear();
    this.#codes = [];
    return values;
  }
}
