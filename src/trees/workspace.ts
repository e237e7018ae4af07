import { DataTooLarge } from '../errors/errors.ts';
import { type BinnedTable, binTable, histogramOffsets } from './binned-table.ts';
import type { FeatureBins, FeatureColumn } from './feature-bins.ts';
import { entryBytes, histogramKernel } from './histogram-kernel.ts';
import { controlBytes, HistogramThreads, type KernelCall } from './histogram-threads.ts';
import { wasmModule } from './wasm-assembler.ts';
import { compileWasm, sharedMemory, wasmExports } from './wasm-runtime.ts';

/** Rows from..to of the order of rows, and the number of the histogram to build from them. */
export interface HistogramJob {
  from: number;
  to: number;
  slot: number;
}

export interface WorkspaceOptions {
  /** Those of these rows only. */
  rows?: Int32Array;
  /** Histograms that exist at the same time: as many as a tree has leaves. */
  slots: number;
  threads: number;
}

const pageBytes = 65_536;
/** What 32-bit addresses reach. */
const mostPages = 65_536;

/** Sums below this are done before a thread is awake (20 to 50 µs). */
const leastSharedSums = 100_000;

/**
 * What a tree is grown with: an order of rows, in which each leaf's are together, their bins and derivatives, and histograms; in
 * one memory for the kernel and all threads that run it.
 */
export class Workspace {
  readonly table: BinnedTable;
  readonly rows: Int32Array;
  /** Integer G and H, [rows, 2]. */
  readonly derivatives: Int32Array;
  readonly #scratch: Int32Array;
  readonly #histograms: Float64Array[];
  readonly #build: (...call: KernelCall) => void;
  readonly #threads: HistogramThreads;

  constructor(
    features: readonly FeatureBins[],
    columns: readonly FeatureColumn[],
    { rows: chosen, slots, threads }: WorkspaceOptions,
  ) {
    const count = chosen?.length ?? columns[0]?.values.length ?? 0;
    const offsets = histogramOffsets(features);
    const entries = offsets.at(-1) as number;
    const rows = aligned(controlBytes * threads);
    const derivatives = aligned(rows + 4 * count);
    const bins = aligned(derivatives + 8 * count);
    const first = aligned(bins + features.length * count);
    const histograms = slots + threads - 1;
    const pages = Math.ceil((first + histograms * entries * entryBytes) / pageBytes);
    if (pages > mostPages) throw tooLarge(count, features.length, pages);
    const memory = sharedMemory(pages);
    const module = compileWasm(wasmModule([histogramKernel({ derivatives, bins }, offsets)], pages));

    this.rows = new Int32Array(memory.buffer, rows, count);
    this.derivatives = new Int32Array(memory.buffer, derivatives, 2 * count);
    this.#scratch = new Int32Array(count);
    this.#histograms = Array.from(
      { length: histograms },
      (_, slot) => new Float64Array(memory.buffer, first + slot * entries * entryBytes, 2 * entries),
    );
    const place = new Uint8Array(memory.buffer, bins, features.length * count);
    this.table = binTable(features, columns, { bins: place, ...(chosen ? { rows: chosen } : {}) });
    this.#build = wasmExports(module, memory)['histogram'] as (...call: KernelCall) => void;
    this.#threads = new HistogramThreads(threads - 1, module, memory);
  }

  /** Sums of G and H for each bin, [entries, 2]. */
  histogram(slot: number): Float64Array {
    return this.#histograms[slot] as Float64Array;
  }

  build(jobs: readonly HistogramJob[]): void {
    for (const { from, to, slot } of jobs) {
      const sums = (to - from) * this.table.features.length;
      this.#buildOne(from, to, slot, sums < leastSharedSums ? 0 : this.#threads.count);
    }
  }

  /** Helpers sum equal parts of the rows into histograms of their own, which are then added. */
  #buildOne(from: number, to: number, slot: number, helpers: number): void {
    const own = this.histogram(slot).fill(0);
    const end = (part: number): number => from + Math.floor(((to - from) * part) / (helpers + 1));
    const extra: Float64Array[] = [];
    for (let helper = 0; helper < helpers; helper++) {
      const histogram = this.#histograms.at(-1 - helper) as Float64Array;
      const call = this.#callFor(end(helper), end(helper + 1), histogram.fill(0));
      if (this.#threads.start(helper, call)) extra.push(histogram);
      else this.#build(...this.#callFor(end(helper), end(helper + 1), own));
    }
    this.#build(...this.#callFor(end(helpers), to, own));
    this.#threads.wait();
    for (const histogram of extra)
      for (let i = 0; i < own.length; i++) own[i] = (own[i] as number) + (histogram[i] as number);
  }

  #callFor(from: number, to: number, histogram: Float64Array): KernelCall {
    return [this.rows.byteOffset + 4 * from, this.rows.byteOffset + 4 * to, histogram.byteOffset];
  }

  /** Puts the rows that go left before the others, keeping their order; returns where the others begin. */
  partition(from: number, to: number, feature: number, goesLeft: Uint8Array): number {
    const { bins, features } = this.table;
    const [rows, others, width] = [this.rows, this.#scratch, features.length];
    let left = from;
    let right = 0;
    for (let i = from; i < to; i++) {
      const row = rows[i] as number;
      const isLeft = goesLeft[bins[row * width + feature] as number] as number;
      // Both are written, and one is overwritten: a branch that is half the time predicted wrongly takes longer.
      rows[left] = row;
      others[right] = row;
      left += isLeft;
      right += 1 - isLeft;
    }
    rows.set(others.subarray(0, right), left);
    return left;
  }

  /** Ends the threads. */
  stop(): void {
    this.#threads.stop();
  }
}

const aligned = (bytes: number): number => Math.ceil(bytes / controlBytes) * controlBytes;

const tooLarge = (rows: number, columns: number, pages: number): DataTooLarge =>
  new DataTooLarge('a forest needs more than the 4 GB that its memory can have', {
    detail: `${rows} rows of ${columns} columns need ${((pages * pageBytes) / 2 ** 30).toFixed(1)} GiB.`,
    hint: 'Train on fewer rows or columns, or with fewer leaves.',
  });
