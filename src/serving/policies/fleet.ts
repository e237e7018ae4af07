import type { Member } from '../../db/statements/deployments.ts';
import { mostAccurate } from './batches.ts';
import { type LatencyModel, measuredSizes } from './latency-model.ts';
import { Margin } from './margin.ts';
import type { Fleet, Station, Subset } from './policy.ts';

/** Text models on a CPU gain 2 times by a batch of so many, accelerators 10 times. */
const PAYING_ROWS = 16;
const PAYING_FACTOR = 4;

export interface ServedFleetOptions {
  members: readonly Pick<Member, 'family' | 'precision'>[];
  /** Of each subset, by its bits. */
  accuracy: readonly number[];
  servers: number;
}

/** The members of one deployment, all of them on every thread: what a subset takes is the sum, what it is worth was measured. */
export class ServedFleet implements Fleet {
  readonly members: number;
  readonly sizes = measuredSizes;
  readonly accuracy: readonly number[];
  readonly stations: readonly Station[];
  readonly originals: readonly number[];
  /** Those that are no variants. */
  readonly exact: Subset;
  /** The most accurate subset; of equals, the smallest. */
  readonly best: Subset;
  /** None until the model is loaded for the first time. */
  #latency: readonly LatencyModel[] = [];
  readonly #margin = new Margin();

  constructor({ members, accuracy, servers }: ServedFleetOptions) {
    this.members = members.length;
    this.accuracy = accuracy;
    this.originals = originalsOf(members);
    this.exact = this.originals.reduce((bits, original, m) => (original === m ? bits | (1 << m) : bits), 0);
    this.stations = [{ members: 2 ** members.length - 1, servers }];
    this.best = mostAccurate(this);
  }

  /** How long batches take, by member; before, they count as nothing. */
  measured(latency: readonly LatencyModel[]): void {
    this.#latency = latency;
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

  /** The most rows that the best subset answers within `ms`; 0 where one takes longer, or nothing was measured yet. */
  rowsWithin(ms: number): number {
    if (this.#latency.length === 0) return 0;
    let low = 0;
    let high: number = measuredSizes[measuredSizes.length - 1] ?? 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.subsetMs(this.best, middle) <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Whether a row in a batch takes so much less than one alone that rows may be computed for nothing. */
  get batchesPay(): boolean {
    return PAYING_ROWS * this.subsetMs(this.best, 1) >= PAYING_FACTOR * this.subsetMs(this.best, PAYING_ROWS);
  }

  /** c(b) of the best subset, ms, by batch size. */
  describe(): Record<string, number> {
    return Object.fromEntries(
      measuredSizes.map((rows) => [String(rows), Number(this.subsetMs(this.best, rows).toFixed(3))]),
    );
  }
}

/** A variant stands for the member of its family in full precision; an ensemble has one of each family. */
const originalsOf = (members: ServedFleetOptions['members']): number[] =>
  members.map(({ family }) => members.findIndex((other) => other.family === family && other.precision === 'float32'));

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
