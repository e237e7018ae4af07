import { type Choice, copyChoice, emptyChoice, type Option, optionsOf } from './choices.ts';
import type { Fleet, PolicyState } from './policy.ts';
import type { Prices } from './prices.ts';

/** Prefers the batch that starts earlier among equals; far below any accuracy. */
const PER_BUDGET_WAITED = 1e-3;

/** With more than this many largest batches waiting, only the two largest sizes are considered. */
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
  /** When each server is free, by station; the servers of station s start at `#first[s]`. */
  readonly #free: Float64Array;
  readonly #first: number[] = [];
  readonly #options: readonly Option[];
  readonly #scratch = emptyChoice();

  constructor(fleet: Fleet, state: PolicyState, prices: Prices) {
    this.fleet = fleet;
    this.prices = prices;
    this.nowMs = state.nowMs;
    this.#state = state;
    this.#rate = state.rate;
    this.#margin = fleet.margin;
    let servers = 0;
    for (const station of fleet.stations) {
      this.#first.push(servers);
      servers += station.servers;
    }
    this.#first.push(servers);
    this.#free = new Float64Array(servers);
    this.#options = optionsOf(fleet, prices);
    this.reset();
  }

  reset(): void {
    this.nowMs = this.#state.nowMs;
    this.head = 0;
    let server = 0;
    for (const servers of this.#state.freeMs) for (const ms of servers) this.#free[server++] = ms;
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
    let next = Number.POSITIVE_INFINITY;
    for (const ms of this.#free) if (ms > this.nowMs && ms < next) next = ms;
    return next;
  }

  get isAnyFree(): boolean {
    for (const ms of this.#free) if (ms <= this.nowMs) return true;
    return false;
  }

  /**
   * Candidate batches of each subset and size, unless a smaller size holds all waiting requests; some can only start
   * later.
   */
  choices(): Choice[] {
    const choices: Choice[] = [];
    for (const option of this.#options) {
      if (!this.#isSized(option)) continue;
      const choice = emptyChoice();
      if (this.#evaluate(option, choice)) choices.push(choice);
    }
    return choices;
  }

  /** Writes the choice with the best score to `best`; returns false if there is none. */
  findBest(best: Choice): boolean {
    const { fleet } = this;
    best.score = Number.NEGATIVE_INFINITY;
    let found = false;
    const min =
      this.tail - this.head > CROWDED_BATCHES * fleet.sizes[fleet.sizes.length - 1]! ? fleet.sizes.length - 2 : 0;
    for (const option of this.#options) {
      if (option.size < min || !this.#isSized(option)) continue;
      // Skip the option if its upper bound, with no row late and no station busy, is lower.
      const rows = fleet.sizes[option.size]!;
      if (Math.max(0, option.margin) * rows - option.cost < best.score) continue;
      if (this.#evaluate(option, this.#scratch) && this.#scratch.score > best.score) {
        copyChoice(this.#scratch, best);
        found = true;
      }
    }
    return found;
  }

  take({ subset, from, rows, size }: Choice): void {
    for (const option of this.#options) {
      if (option.subset !== subset || option.size !== size) continue;
      option.stations.forEach((s, i) => {
        const server = this.#server(s);
        this.#free[server] = Math.max(this.nowMs, this.#free[server]!) + option.times[i]!;
      });
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
    for (let s = 0; s < this.fleet.stations.length; s++) {
      for (let server = this.#first[s]!; server < this.#first[s + 1]!; server++) {
        worth += this.prices.stations[s]! * Math.max(0, this.#free[server]! - ms);
      }
    }
    return worth;
  }

  #isSized({ size }: Option): boolean {
    return size === 0 || this.fleet.sizes[size - 1]! < this.tail - this.head;
  }

  /** Evaluates a batch now; returns false if it would answer no request in time. */
  #evaluate(option: Option, choice: Choice): boolean {
    const { nowMs, prices } = this;
    let startMs = nowMs;
    let finishMs = nowMs;
    for (let i = 0; i < option.stations.length; i++) {
      const begin = Math.max(nowMs, this.#free[this.#server(option.stations[i]!)]!);
      startMs = Math.max(startMs, begin);
      finishMs = Math.max(finishMs, begin + this.#margin * option.times[i]!);
    }
    const tail = this.tail;
    const from = this.#lateAt(finishMs, tail);
    const rows = Math.min(this.fleet.sizes[option.size]!, tail - from);
    if (rows <= 0) return false;
    choice.subset = option.subset;
    choice.size = option.size;
    choice.from = from;
    choice.rows = rows;
    choice.startMs = startMs;
    choice.score =
      option.margin * rows - option.cost - prices.request * (from - this.head) - this.#idleCost(startMs - nowMs);
    return true;
  }

  /** Price of the currently free servers for a duration. */
  #idleCost(ms: number): number {
    if (ms <= 0) return 0;
    let cost = (PER_BUDGET_WAITED * ms) / this.#state.budgetMs;
    for (let s = 0; s < this.fleet.stations.length; s++) {
      if (this.#free[this.#server(s)]! <= this.nowMs) cost += this.prices.stations[s]! * ms;
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

  /** The server of a station that is free first. */
  #server(station: number): number {
    let best = this.#first[station]!;
    for (let i = best + 1; i < this.#first[station + 1]!; i++) if (this.#free[i]! < this.#free[best]!) best = i;
    return best;
  }
}
