import { Histogram } from '../runtime/histogram.ts';

/** Upper bounds of the counted latencies, in seconds: from a cached answer to a large array. */
const latencyBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Upper bounds of the sizes of batches, in rows. */
const sizeBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Number of recent calls whose latencies give the quantiles. */
const SAMPLE = 1024;

/** Statistics of one model's calls since the start of the process. */
export class PredictStat {
  calls = 0;
  rows = 0;
  cached = 0;
  batches = 0;
  overdue = 0;
  /** Calls that were not computed, because they could not have been in time, or too many waited. */
  refused = 0;
  /** Rows requested while the model was not in memory. */
  cold = 0;
  /** Number of loads, and bytes in memory now. */
  loads = 0;
  bytes = 0;
  /** Allocated at the first call: 8 KB are too much for unused models. */
  #latencies: Float64Array | undefined;
  /** Of all calls, in seconds. */
  readonly latency = new Histogram(latencyBounds);
  /** Of all batches, in rows. */
  readonly batchSizes = new Histogram(sizeBounds);
  /** Rows that were computed by each choice of members, by the bits of their places. */
  readonly members = new Map<number, number>();

  call(ms: number, { rows, overdue }: { rows: number; overdue: boolean }): void {
    this.#latencies ??= new Float64Array(SAMPLE);
    this.#latencies[this.calls % SAMPLE] = ms;
    this.latency.add(ms / 1000);
    this.calls++;
    this.rows += rows;
    if (overdue) this.overdue++;
  }

  /** A batch that has been computed by the members whose bits `subset` has. */
  batch(rows: number, subset: number): void {
    this.batches++;
    this.batchSizes.add(rows);
    this.members.set(subset, (this.members.get(subset) ?? 0) + rows);
  }

  /** Calls that were answered by prefetching; they have no latency. */
  answeredPrefetched(rows: number): void {
    this.rows += rows;
    this.cached += rows;
  }

  /** Quantile `q` of the recent calls' latencies, ms; null before the first call. */
  quantile(q: number): number | null {
    const kept = Math.min(this.calls, SAMPLE);
    if (kept === 0 || this.#latencies === undefined) return null;
    const sorted = this.#latencies.slice(0, kept).sort();
    return sorted[Math.min(kept - 1, Math.floor(q * kept))] ?? null;
  }
}
