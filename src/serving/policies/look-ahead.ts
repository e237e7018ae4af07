import { largestOf, stationMs } from './batches.ts';
import { type Choice, copyChoice, emptyChoice, type Option, optionsOf } from './choices.ts';
import type { Fleet, PolicyState } from './policy.ts';
import type { Prices } from './prices.ts';
import { ServerTimes } from './server-times.ts';

/** Prefers the batch that starts earlier among equals; far below any accuracy. */
const PER_BUDGET_WAITED = 1e-3;

/** Scores that differ by less are equal: sums of the same values in another order differ by rounding. */
export const SAME_SCORE = 1e-9;
/**
 * With more than this many largest batches waiting, only the largest are considered: smaller ones save requests now and
 * lose more later.
 */
const CROWDED_BATCHES = 2;

/**
 * The state of queue and servers now and, assuming arrivals at a constant rate, later. Places count from the head of
 * the queue at the decision; places beyond its end have not arrived yet. `take` and setting `nowMs` move it forward,
 * `reset` moves it back to the decision. A plan evaluates thousands of batches within a millisecond: this file
 * allocates nothing per batch.
 */
export class LookAhead {
  readonly fleet: Fleet;
  readonly prices: Prices;
  nowMs: number;
  head = 0;
  readonly #state: PolicyState;
  readonly #rate: number;
  readonly #margin: number;
  readonly #servers: ServerTimes;
  readonly #options: readonly Option[];
  readonly #scratch = emptyChoice();
  readonly #largest: number;
  /** By station, and for the whole subset: when the batch under consideration could begin. */
  readonly #beginMs: Float64Array;
  #startMs = 0;

  constructor(fleet: Fleet, state: PolicyState, prices: Prices) {
    this.fleet = fleet;
    this.prices = prices;
    this.nowMs = state.nowMs;
    this.#state = state;
    this.#rate = state.rate;
    this.#margin = fleet.margin;
    this.#servers = new ServerTimes(fleet.stations);
    this.#options = optionsOf(fleet, prices);
    this.#largest = largestOf(fleet);
    this.#beginMs = new Float64Array(fleet.stations.length);
    this.reset();
  }

  reset(): void {
    this.nowMs = this.#state.nowMs;
    this.head = 0;
    this.#servers.reset(this.#state.freeMs);
  }

  /** The end of the queue at `nowMs`. */
  get tail(): number {
    const { queue, nowMs } = this.#state;
    return queue.length + Math.floor(this.#rate * (this.nowMs - nowMs));
  }

  get nextArrivalMs(): number {
    const { queue, nowMs } = this.#state;
    return this.#rate > 0 ? nowMs + (this.tail - queue.length + 1 + 1e-9) / this.#rate : Number.POSITIVE_INFINITY;
  }

  /** When the next busy server becomes free. */
  get nextFreeMs(): number {
    return this.#servers.nextFreeMs(this.nowMs);
  }

  get isAnyFree(): boolean {
    return this.#servers.isAnyFree(this.nowMs);
  }

  /** Candidate batches of each subset; some can only start later. */
  choices(): Choice[] {
    const choices: Choice[] = [];
    for (const option of this.#options) {
      this.#begin(option);
      for (const rows of this.#manySizes(option)) {
        const choice = emptyChoice();
        this.#evaluate(option, rows, choice);
        choices.push(choice);
      }
    }
    return choices;
  }

  /** Writes the choice with the best score to `best`; returns false if there is none. */
  findBest(best: Choice): boolean {
    best.score = Number.NEGATIVE_INFINITY;
    best.rows = 0;
    const waiting = this.tail - this.head;
    const most = Math.min(this.#largest, waiting);
    const isCrowded = waiting > CROWDED_BATCHES * this.#largest;
    for (const option of this.#options) {
      // Skip the option if its upper bound, with no row late, and no station busy, is lower.
      if (option.gain * most < best.score + SAME_SCORE) continue;
      this.#begin(option);
      const widest = this.#most(option, most, false);
      this.#try(option, widest, best);
      if (!isCrowded) this.#try(option, this.#most(option, widest, true), best);
      for (const knee of option.knees) {
        if (knee < widest && (!isCrowded || 2 * knee > this.#largest)) this.#try(option, knee, best);
      }
    }
    return best.rows > 0;
  }

  take({ subset, from, rows }: Choice): void {
    for (const option of this.#options) {
      if (option.subset !== subset) continue;
      for (const s of option.stations) {
        this.#servers.occupy(s, this.nowMs, stationMs(this.fleet, this.fleet.stations[s]!, { subset, rows }));
      }
    }
    this.head = from + rows;
  }

  /** Number of waiting requests with a deadline not before `ms`. */
  inTime(ms: number): number {
    const tail = this.tail;
    return tail - this.#lateAt(ms, tail);
  }

  /** Price of the work beyond `ms` that servers have already started. */
  committedCost(ms: number): number {
    let worth = 0;
    for (let s = 0; s < this.fleet.stations.length; s++)
      worth += this.prices.stations[s]! * this.#servers.committedMs(s, ms);
    return worth;
  }

  /** When each station of the subset could begin a batch. */
  #begin({ stations }: Option): void {
    this.#startMs = this.nowMs;
    for (const s of stations) {
      this.#beginMs[s] = Math.max(this.nowMs, this.#servers.freeMs(s));
      this.#startMs = Math.max(this.#startMs, this.#beginMs[s]!);
    }
  }

  /** The latest time at which a batch of `rows` ends. */
  #finishMs(option: Option, rows: number): number {
    let finishMs = this.nowMs;
    for (const s of option.stations) {
      finishMs = Math.max(
        finishMs,
        this.#beginMs[s]! +
          this.#margin * stationMs(this.fleet, this.fleet.stations[s]!, { subset: option.subset, rows }),
      );
    }
    return finishMs;
  }

  /**
   * The largest batch of at most `max` rows that are all in time, or which makes no waiting request late; 0 if there is
   * none. The one whose deadline counts is so many places before the end, or the one at the head.
   */
  #most(option: Option, max: number, keepsAll: boolean): number {
    const { head, tail } = this;
    let low = 0;
    let high = max;
    for (let rows = max; low < high; rows = (low + high + 1) >>> 1) {
      if (this.#deadlineMs(keepsAll ? head : tail - rows) >= this.#finishMs(option, rows)) low = rows;
      else high = rows - 1;
    }
    return low;
  }

  /** Sizes that are worth a plan: the two bounds, the share of each server, and knees. */
  #manySizes(option: Option): Set<number> {
    const waiting = this.tail - this.head;
    const widest = this.#most(option, Math.min(this.#largest, waiting), false);
    const sizes = new Set([widest, this.#most(option, widest, true)]);
    for (const s of option.stations) {
      sizes.add(Math.min(widest, Math.ceil(waiting / this.fleet.stations[s]!.servers)));
    }
    for (const knee of option.knees) if (knee < widest) sizes.add(knee);
    sizes.delete(0);
    return sizes;
  }

  #try(option: Option, rows: number, best: Choice): void {
    if (rows === 0) return;
    this.#evaluate(option, rows, this.#scratch);
    if (this.#scratch.score > best.score + SAME_SCORE) copyChoice(this.#scratch, best);
  }

  /** Evaluates a batch of so many rows, all in time. */
  #evaluate(option: Option, rows: number, choice: Choice): void {
    const { prices } = this;
    const from = this.#lateAt(this.#finishMs(option, rows), this.tail);
    let cost = prices.request * (from - this.head) + this.#idleCost(this.#startMs - this.nowMs);
    for (const s of option.stations)
      cost += stationMs(this.fleet, this.fleet.stations[s]!, { subset: option.subset, rows }) * prices.stations[s]!;
    choice.subset = option.subset;
    choice.from = from;
    choice.rows = rows;
    choice.startMs = this.#startMs;
    choice.score = option.margin * rows - cost;
  }

  /** Price of the currently free servers for a duration. */
  #idleCost(ms: number): number {
    if (ms <= 0) return 0;
    let cost = (PER_BUDGET_WAITED * ms) / this.#state.budgetMs;
    for (let s = 0; s < this.fleet.stations.length; s++) {
      if (this.#servers.freeMs(s) <= this.nowMs) cost += this.prices.stations[s]! * ms;
    }
    return cost;
  }

  /** The first place from the head whose deadline is not before `ms`. */
  #lateAt(ms: number, tail: number): number {
    let low = this.head;
    if (low < tail && this.#deadlineMs(low) >= ms) return low;
    let high = tail;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#deadlineMs(middle) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #deadlineMs(place: number): number {
    const { queue, nowMs, budgetMs } = this.#state;
    if (place < queue.length) return queue.deadlineMs(place);
    return nowMs + (place - queue.length + 1) / this.#rate + budgetMs;
  }
}
