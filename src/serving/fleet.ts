import { type LatencyModel, measuredSizes } from './latency-model.ts';
import { Margin } from './margin.ts';
import { mostAccurate } from './policies/batches.ts';
import type { Fleet, Station, Subset } from './policies/policy.ts';

/** The members of one deployment, all of them on every thread: what a subset takes is the sum, what it is worth was measured. */
export class ServedFleet implements Fleet {
  readonly members: number;
  readonly sizes = measuredSizes;
  readonly accuracy: readonly number[];
  readonly stations: readonly Station[];
  /** The most accurate subset; of equals, the smallest. */
  readonly best: Subset;
  readonly #latency: readonly LatencyModel[];
  readonly #margin = new Margin();

  constructor({
    latency,
    accuracy,
    servers,
  }: { latency: readonly LatencyModel[]; accuracy: readonly number[]; servers: number }) {
    this.members = latency.length;
    this.accuracy = accuracy;
    this.stations = [{ members: 2 ** latency.length - 1, servers }];
    this.#latency = latency;
    this.best = mostAccurate(this);
  }

  get margin(): number {
    return this.#margin.value;
  }

  latencyMs(member: number, rows: number): number {
    return this.#latency[member]?.predict(rows) ?? 0;
  }

  /** c(v, b) of a subset. */
  subsetMs(subset: Subset, rows: number): number {
    let ms = 0;
    for (let m = 0; m < this.members; m++) if ((subset & (1 << m)) !== 0) ms += this.latencyMs(m, rows);
    return ms;
  }

  /** Follows what batches really take; of several members, each in proportion. */
  observe(subset: Subset, rows: number, ms: number): void {
    const ratio = ms / this.subsetMs(subset, rows);
    for (let m = 0; m < this.members; m++) {
      if ((subset & (1 << m)) !== 0) this.#latency[m]?.observe(rows, ratio * this.latencyMs(m, rows));
    }
    this.#margin.observe(ratio);
  }

  /** The most rows that the best subset answers within `ms`; at least 1. */
  rowsWithin(ms: number): number {
    let low = 1;
    let high: number = measuredSizes[measuredSizes.length - 1] ?? 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.subsetMs(this.best, middle) <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** c(b) of the best subset, ms, by batch size. */
  describe(): Record<string, number> {
    return Object.fromEntries(
      measuredSizes.map((rows) => [String(rows), Number(this.subsetMs(this.best, rows).toFixed(3))]),
    );
  }
}

/**
 * Accuracy by subset where a version has none stored: the best member's for a part, the ensemble's for all. Nothing is
 * then gained by asking some but not all.
 */
export function assumedAccuracies(members: readonly { score: number }[], score: number): number[] {
  const all = 2 ** members.length - 1;
  return Array.from({ length: all + 1 }, (_, subset) => {
    if (subset === all) return score;
    return Math.max(0, ...members.map((member, m) => ((subset & (1 << m)) === 0 ? 0 : member.score)));
  });
}
