import type { BinnedTable } from './binned-table.ts';

/** Rows from..to of the order of rows, and the number of the histogram to build from them. */
export interface HistogramJob {
  from: number;
  to: number;
  slot: number;
}

/** What a tree is grown with: an order of rows, in which each leaf's are together, their derivatives, and histograms. */
export class Workspace {
  readonly table: BinnedTable;
  readonly rows: Int32Array;
  /** Integer G and H, [rows, 2]. */
  readonly derivatives: Int32Array;
  readonly #scratch: Int32Array;
  readonly #histograms: Float64Array[] = [];

  constructor(table: BinnedTable) {
    this.table = table;
    this.rows = new Int32Array(table.rows);
    this.#scratch = new Int32Array(table.rows);
    this.derivatives = new Int32Array(2 * table.rows);
  }

  /** Sums of G and H for each bin, [entries, 2]. */
  histogram(slot: number): Float64Array {
    this.#histograms[slot] ??= new Float64Array(2 * (this.table.offsets.at(-1) as number));
    return this.#histograms[slot];
  }

  build(jobs: readonly HistogramJob[]): void {
    const { bins, offsets, features } = this.table;
    const width = features.length;
    for (const { from, to, slot } of jobs) {
      const histogram = this.histogram(slot).fill(0);
      for (let i = from; i < to; i++) {
        const row = this.rows[i] as number;
        const [g, h] = [this.derivatives[2 * row] as number, this.derivatives[2 * row + 1] as number];
        for (let f = 0; f < width; f++) {
          const entry = 2 * ((offsets[f] as number) + (bins[row * width + f] as number));
          histogram[entry] = (histogram[entry] as number) + g;
          histogram[entry + 1] = (histogram[entry + 1] as number) + h;
        }
      }
    }
  }

  /** Puts the rows that go left before the others, keeping their order; returns where the others begin. */
  partition(from: number, to: number, feature: number, goesLeft: Uint8Array): number {
    const { bins, features } = this.table;
    const width = features.length;
    let left = from;
    let right = 0;
    for (let i = from; i < to; i++) {
      const row = this.rows[i] as number;
      if (goesLeft[bins[row * width + feature] as number] === 1) this.rows[left++] = row;
      else this.#scratch[right++] = row;
    }
    this.rows.set(this.#scratch.subarray(0, right), left);
    return left;
  }
}
