/** Number of recent calls whose latencies give the quantiles. */
const SAMPLE = 1024;

/** Statistics of one model's calls since the start of the process. */
export class PredictStat {
  calls = 0;
  rows = 0;
  cached = 0;
  batches = 0;
  overdue = 0;
  /** Rows requested while the model was not in memory. */
  cold = 0;
  /** Number of loads, and bytes in memory now. */
  loads = 0;
  bytes = 0;
  /** Allocated at the first call: 8 KB are too much for unused models. */
  #latencies: Float64Array | undefined;

  call(ms: number, { rows, overdue }: { rows: number; overdue: boolean }): void {
    this.#latencies ??= new Float64Array(SAMPLE);
    this.#latencies[this.calls % SAMPLE] = ms;
    this.calls++;
    this.rows += rows;
    if (overdue) this.overdue++;
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
