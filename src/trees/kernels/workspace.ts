import { DataTooLarge } from '../../errors/errors.ts';
import { type BinnedTable, binTable, histogramOffsets } from '../binned-table.ts';
import type { FeatureBins, FeatureColumn } from '../feature-bins.ts';
import { wasmModule } from './assembler.ts';
import { entryBytes, histogramKernel, partitionKernel } from './kernels.ts';
import { compileWasm, sharedMemory, wasmExports } from './runtime.ts';
import { controlBytes, type KernelCall, type KernelFunction, KernelThreads } from './threads.ts';

/** Rows from..to of the order of rows, and the number of the histogram to build from them. */
export interface HistogramJob {
  from: number;
  to: number;
  slot: number;
}

export interface WorkspaceOptions {
  /** Histograms that exist at the same time: as many as a tree has leaves. */
  slots: number;
  threads: number;
}

const pageBytes = 65_536;
/** What 32-bit addresses reach. */
const MAX_WASM_PAGES = 65_536;

/** With less to do, a leaf is done before another thread is awake (20 to 50 µs): sums, and rows. */
const MIN_SHARED = { sums: 100_000, rows: 50_000 };

const [histogramNumber, partitionNumber] = [0, 1] as const;

/**
 * What a tree is grown with: an order of rows, in which each leaf's are together, their bins and derivatives, and histograms; in
 * one memory for the kernels and all threads that run them.
 */
export class Workspace {
  readonly table: BinnedTable;
  readonly rows: Int32Array;
  /** Integer G and H, [rows, 2]. */
  readonly derivatives: Int32Array;
  readonly #scratch: Int32Array;
  readonly #goesLeft: Uint8Array;
  /** Of each part of the rows, how many go left. */
  readonly #lefts: Int32Array;
  readonly #histograms: Float64Array[];
  readonly #kernels: readonly KernelFunction[];
  readonly #threads: KernelThreads;

  constructor(
    features: readonly FeatureBins[],
    columns: readonly FeatureColumn[],
    { slots, threads }: WorkspaceOptions,
  ) {
    const count = columns[0]?.values.length ?? 0;
    const width = features.length;
    const offsets = histogramOffsets(features);
    const entries = offsets.at(-1) as number;
    const histograms = slots + threads - 1;
    const places = new Places();
    places.take(controlBytes * threads);
    const lefts = places.take(4 * threads);
    const goesLeft = places.take(256);
    const rows = places.take(4 * count);
    const scratch = places.take(4 * count);
    const derivatives = places.take(8 * count);
    const bins = places.take(width * count);
    const first = places.take(histograms * entries * entryBytes);
    const pages = Math.ceil(places.end / pageBytes);
    if (pages > MAX_WASM_PAGES) throw tooLarge(count, width, places.end);
    const memory = sharedMemory(pages);
    const kernelPlaces = { derivatives, bins, goesLeft };
    const kernels = [histogramKernel(kernelPlaces, offsets), partitionKernel(kernelPlaces, width)];
    const code = compileWasm(wasmModule(kernels, pages));

    this.#lefts = new Int32Array(memory.buffer, lefts, threads);
    this.#goesLeft = new Uint8Array(memory.buffer, goesLeft, 256);
    this.rows = new Int32Array(memory.buffer, rows, count);
    this.#scratch = new Int32Array(memory.buffer, scratch, count);
    this.derivatives = new Int32Array(memory.buffer, derivatives, 2 * count);
    this.#histograms = Array.from(
      { length: histograms },
      (_, slot) => new Float64Array(memory.buffer, first + slot * entries * entryBytes, 2 * entries),
    );
    const place = new Uint8Array(memory.buffer, bins, width * count);
    this.table = binTable(features, columns, { bins: place });
    this.#kernels = Object.values(wasmExports(code, memory)) as KernelFunction[];
    this.#threads = new KernelThreads(threads - 1, code, memory);
  }

  /** Sums of G and H for each bin, [entries, 2]. */
  histogram(slot: number): Float64Array {
    return this.#histograms[slot] as Float64Array;
  }

  /** Threads sum parts of the rows into histograms of their own, which are then added. */
  build(jobs: readonly HistogramJob[]): void {
    for (const { from, to, slot } of jobs) {
      const own = this.histogram(slot);
      const parts = this.#parts(from, to, (to - from) * this.table.features.length >= MIN_SHARED.sums);
      const sums = parts.map((_, part) => (part === 0 ? own : (this.#histograms.at(-part) as Float64Array)).fill(0));
      this.#run(
        parts.map(([first, end], part) => {
          const { byteOffset } = sums[part] as Float64Array;
          return [histogramNumber, addressOf(this.rows, first), addressOf(this.rows, end), byteOffset];
        }),
      );
      for (const sum of sums.slice(1))
        for (let i = 0; i < own.length; i++) own[i] = (own[i] as number) + (sum[i] as number);
    }
  }

  /** Puts the rows that go left before the others, keeping their order; returns where the others begin. */
  partition(from: number, to: number, feature: number, goesLeft: Uint8Array): number {
    this.#goesLeft.set(goesLeft);
    const parts = this.#parts(from, to, to - from >= MIN_SHARED.rows);
    this.#run(
      parts.map(([first, end], part) => {
        const [rows, others] = [addressOf(this.rows, first), addressOf(this.#scratch, first)];
        const result = addressOf(this.#lefts, part);
        return [partitionNumber, rows, addressOf(this.rows, end), others, feature, result];
      }),
    );
    let middle = from;
    for (const [part, [first]] of parts.entries()) {
      const lefts = this.#lefts[part] as number;
      if (middle < first) this.rows.copyWithin(middle, first, first + lefts);
      middle += lefts;
    }
    let at = middle;
    for (const [part, [first, end]] of parts.entries()) {
      const others = this.#scratch.subarray(first, end - (this.#lefts[part] as number));
      this.rows.set(others, at);
      at += others.length;
    }
    return middle;
  }

  /** Equal parts of the rows, one for each thread if they are shared. */
  #parts(from: number, to: number, shared: boolean): [number, number][] {
    const count = shared ? this.#threads.count + 1 : 1;
    const end = (part: number): number => from + Math.floor(((to - from) * part) / count);
    return Array.from({ length: count }, (_, part) => [end(part), end(part + 1)]);
  }

  /** The first call is run here, and those that no thread takes. */
  #run(calls: readonly KernelCall[]): void {
    const left = calls.filter((call, part) => part === 0 || !this.#threads.start(part - 1, call));
    for (const [kernel, ...parameters] of left) this.#kernels[kernel]?.(...parameters);
    this.#threads.wait();
  }

  /** Ends the threads. */
  stop(): void {
    this.#threads.stop();
  }
}

/** Deals out a memory from its start, in cache lines. */
class Places {
  end = 0;

  take(bytes: number): number {
    const place = this.end;
    this.end = Math.ceil((place + bytes) / controlBytes) * controlBytes;
    return place;
  }
}

const addressOf = (array: Int32Array, element: number): number => array.byteOffset + 4 * element;

const tooLarge = (rows: number, columns: number, bytes: number): DataTooLarge =>
  new DataTooLarge('a forest needs more than the 4 GB that its memory can have', {
    detail: `${rows} rows of ${columns} columns need ${(bytes / 2 ** 30).toFixed(1)} GiB.`,
    hint: 'Train on fewer rows or columns, or with fewer leaves.',
  });
