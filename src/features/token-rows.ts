import type { TensorData } from '../domain/tensor.ts';

/** Concatenated rows of different lengths: row i is `ids[offsets[i]] … ids[offsets[i + 1] - 1]`. */
export interface TokenRows {
  ids: Int32Array;
  offsets: Int32Array;
}

/** Of a row, in numbers. */
export const rowLength = ({ offsets }: TokenRows, row: number): number => (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);

export interface Padding {
  /** Zeros after the longest row. */
  margin: number;
  /** Minimum width. */
  min: number;
  /** The width is a multiple of it. */
  multiple?: number;
}

/** The given rows, padded with 0 to a common width T: [rows, T], int32. */
export function padRows(rows: TokenRows, indexes: Int32Array, { margin, min, multiple = 1 }: Padding): TensorData {
  const { ids, offsets } = rows;
  let longest = 0;
  for (const row of indexes) longest = Math.max(longest, rowLength(rows, row));
  const width = Math.ceil(Math.max(longest + margin, min) / multiple) * multiple;
  const data = new Int32Array(indexes.length * width);
  for (const [i, row] of indexes.entries()) data.set(ids.subarray(offsets[row], offsets[row + 1]), i * width);
  return { dtype: 'int32', shape: [indexes.length, width], data };
}

/** Collects rows whose total length is not known in advance. */
export class TokenRowsBuilder {
  #ids: Int32Array;
  #offsets: Int32Array;
  #rows = 0;
  #length = 0;

  /** `perToken`: ids per token. */
  constructor(rows: number, perToken = 1) {
    this.#ids = new Int32Array(Math.max(64, rows * 32 * perToken));
    this.#offsets = new Int32Array(rows + 1);
  }

  push(ids: Int32Array): void {
    if (this.#length + ids.length > this.#ids.length) {
      const grown = new Int32Array(Math.max(this.#ids.length * 2, this.#length + ids.length));
      grown.set(this.#ids.subarray(0, this.#length));
      this.#ids = grown;
    }
    this.#ids.set(ids, this.#length);
    this.#length += ids.length;
    this.#rows++;
    this.#offsets[this.#rows] = this.#length;
  }

  build(): TokenRows {
    return { ids: this.#ids.subarray(0, this.#length), offsets: this.#offsets };
  }
}
