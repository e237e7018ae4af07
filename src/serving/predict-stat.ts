/** Latencies kept for the quantiles: of the last calls, so that they show what is now. */
const SAMPLE = 1024;

/** What one model's calls were like since the process started. */
export class PredictStat {
  calls = 0;
  rows = 0;
  cached = 0;
  batches = 0;
  overdue = 0;
  /** Rows that were asked while the model was not in memory. */
  cold = 0;
  /** How often it was loaded, and bytes that it takes now. */
  loads = 0;
  bytes = 0;
  /** From the first call on: 8 KB are much for models that are never asked. */
  #latencies: Float64Array | undefined;

  call(ms: number, { rows, overdue }: { rows: number; overdue: boolean }): void {
    this.#latencies ??= new Float64Array(SAMPLE);
    this.#latencies[this.calls % SAMPLE] = ms;
    this.calls++;
    this.rows += rows;
    if (overdue) this.overdue++;
  }

  /** Calls that need not be made: their answers are prefetched. They have no latency of their own. */
  answeredPrefetched(rows: number): void {
    this.rows += rows;
    this.cached += rows;
  }

  /** Latency that a share `q` of the last calls kept, ms; null before the first. */
  quantile(q: number): number | null {
    const kept = Math.min(this.calls, SAMPLE);
    if (kept === 0 || this.#latencies === undefined) return null;
    const sorted = this.#latencies.slice(0, kept).sort();
    return sorted[Math.min(kept - 1, Math.floor(q * kept))] ?? null;
  }
}
