import type { DeploymentHead, Member } from '../../db/statements/serving/deployments.ts';
import { MAX_VERSION_MEMBERS } from '../../domain/ensembles/rule.ts';
import { kindOf } from '../../domain/kinds/registry.ts';
import { DataTooLarge } from '../../errors/errors.ts';
import { mostAccurate } from './batches.ts';
import { comparedSizes, type LatencyModel, largestBatch } from './latency-model.ts';
import { Margin } from './margin.ts';
import type { Fleet, Station, Subset } from './policy.ts';

/** In a batch of this size, text models on a CPU are 2 times faster per row, accelerators 10 times. */
const PAYING_ROWS = 16;
const PAYING_FACTOR = 4;

/**
 * A batch for which others wait should run no longer than this share of the model's budget: a new request waits for at
 * most one such batch and its own. Where larger batches pay, they run up to {@link LONGEST_SHARE}: the smallest that
 * takes at most {@link NEARLY} times as long for a row as the longest.
 */
const RUN_SHARE = 0.125;
const LONGEST_SHARE = 0.35;
const NEARLY = 1.1;

export interface ServedFleetOptions {
  members: readonly Pick<Member, 'family' | 'precision' | 'variantOf'>[];
  /** By subset. */
  accuracy: readonly number[];
  servers: number;
}

/**
 * The members of one deployment, all of them on every thread: the time of a subset is the sum, its accuracy was
 * measured.
 */
export class ServedFleet implements Fleet {
  readonly members: number;
  readonly sizes = comparedSizes;
  readonly accuracy: readonly number[];
  readonly stations: readonly Station[];
  readonly originals: readonly number[];
  /** Members that are not variants. */
  readonly exact: Subset;
  /** The most accurate subset; among equals, the smallest. */
  readonly best: Subset;
  /** Empty until the model is loaded for the first time. */
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

  /** Sets the measured latencies, by member; before, all latencies are 0. */
  measured(latency: readonly LatencyModel[]): void {
    this.#latency = latency;
  }

  get margin(): number {
    return this.#margin.value;
  }

  latencyMs(member: number, rows: number): number {
    return this.#latency[member]?.predict(rows) ?? 0;
  }

  /** c(v, b) of a subset, ms. */
  subsetMs(subset: Subset, rows: number): number {
    let ms = 0;
    for (let m = 0; m < this.members; m++) if ((subset & (1 << m)) !== 0) ms += this.latencyMs(m, rows);
    return ms;
  }

  /** Updates the latencies with a batch's time; of several members, each proportionally. */
  observe(subset: Subset, rows: number, ms: number): void {
    const expectedMs = this.subsetMs(subset, rows);
    if (expectedMs === 0) return; // not measured yet
    const ratio = ms / expectedMs;
    for (let m = 0; m < this.members; m++) {
      if ((subset & (1 << m)) !== 0) this.#latency[m]?.observe(rows, ratio * this.latencyMs(m, rows));
    }
    this.#margin.observe(ratio);
  }

  /**
   * Maximum number of rows that a subset, by default the best, answers within `ms`; 0 if one row takes longer, or before the
   * first measurement.
   */
  rowsWithin(ms: number, subset = this.best): number {
    if (this.#latency.length === 0) return 0;
    let low = 0;
    let high: number = largestBatch;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.subsetMs(subset, middle) <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The smallest batch that takes at most `nearly` times as long for a row as one of `rows`. */
  smallestLike(rows: number, nearly: number): number {
    const rowMs = (size: number): number => this.subsetMs(this.best, size) / size;
    return this.sizes.find((size) => size < rows && rowMs(size) <= nearly * rowMs(rows)) ?? rows;
  }

  /** Maximum intended time of a batch for which others wait, ms; at least that of one row. */
  turnMs(budgetMs: number): number {
    const longest = Math.max(1, this.rowsWithin(LONGEST_SHARE * budgetMs));
    return Math.max(RUN_SHARE * budgetMs, this.subsetMs(this.best, this.smallestLike(longest, NEARLY)));
  }

  /** Whether rows in a batch are so much cheaper than a single row that speculative rows pay. */
  get batchesPay(): boolean {
    return PAYING_ROWS * this.subsetMs(this.best, 1) >= PAYING_FACTOR * this.subsetMs(this.best, PAYING_ROWS);
  }

  /** c(b) of the best subset, ms, by batch size. */
  describe(): Record<string, number> {
    return Object.fromEntries(
      comparedSizes.map((rows) => [String(rows), Number(this.subsetMs(this.best, rows).toFixed(3))]),
    );
  }
}

/** In versions that do not say it, the original of a variant is the member of its family in full precision: they have one of each family. */
const originalsOf = (members: ServedFleetOptions['members']): number[] =>
  members.map(({ family, precision, variantOf }, m) => {
    if (precision === 'float32') return m;
    const original =
      variantOf ?? members.findIndex((other) => other.family === family && other.precision === 'float32');
    return original >= 0 && original < members.length ? original : m;
  });

/**
 * The members that are asked. Throws {@link DataTooLarge} for more than any study makes: all subsets of them are weighed up, and a server
 * must answer for other models meanwhile.
 */
export function askedMembers({ rule, task, members }: Pick<DeploymentHead, 'rule' | 'task' | 'members'>): Member[] {
  const asked = rule === 'weighted' || kindOf(task).votes() ? members : members.slice(0, 1);
  if (asked.length > 0 && asked.length <= MAX_VERSION_MEMBERS) return asked;
  throw new DataTooLarge('the version has more members than a server asks, or none', {
    detail: `It has ${asked.length}; the maximum is ${MAX_VERSION_MEMBERS}.`,
    hint: 'Deploy another version.',
  });
}

/** Accuracy by subset of the members: as measured, or assumed. Of an imported version no score is known: all of it answers. */
export function accuraciesOf(
  { accuracies, foreignOwner, score }: Pick<DeploymentHead, 'accuracies' | 'foreignOwner' | 'score'>,
  members: readonly { score: number }[],
): readonly number[] {
  if (accuracies !== null && accuracies.length >= 2 ** members.length) return accuracies;
  return assumedAccuracies(members, foreignOwner === null ? score : 1);
}

/**
 * Accuracy by subset for versions without measured ones: the best member's for a part, the ensemble's for all. Then
 * asking only some members has no advantage.
 */
export function assumedAccuracies(members: readonly { score: number }[], score: number): number[] {
  const all = 2 ** members.length - 1;
  return Array.from({ length: all + 1 }, (_, subset) => {
    if (subset === all) return score;
    return Math.max(0, ...members.map((member, m) => ((subset & (1 << m)) === 0 ? 0 : member.score)));
  });
}
