import { type Choice, copyChoice, emptyChoice, type Option, optionsOf } from './choices.ts';
import type { Fleet, PolicyState } from './policy.ts';
import type { Prices } from './prices.ts';

/** Of batches worth the same, the one that begins earlier; far below any accuracy. */
const PER_BUDGET_WAITED = 1e-3;

/** Where more wait than so many of the largest batches, only the two largest sizes are looked at. */
const CROWDED = 2;

/**
 * The queue and the servers as they are and, with arrivals that keep their rate, as they will be. Places count from the
 * head of the queue as it is at the decision; those beyond its end have yet to arrive. Moves forward by `take` and by
 * setting `nowMs`, and back to the decision by `reset`. A plan looks at thousands of batches within a millisecond: this
 * file allocates nothing for one.
 */
export class LookAhead {
  readonly fleet: Fleet;
  readonly prices: Prices;
  nowMs: number;
  head = 0;
  readonly #state: PolicyState;
  readonly #rate: number;
  readonly #margin: number;
  /** When each server is free, station by station; those of station s begin at `#first[s]`. */
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

  /** Where the queue ends by then. */
  get tail(): number {
    const { queue, nowMs } = this.#state;
    return queue.length + Math.floor(this.#rate * (this.nowMs - nowMs));
  }

  get nextArrivalMs(): number {
    const { queue, nowMs } = this.#state;
    return this.#rate > 0 ? nowMs + (this.tail - queue.length + 1 + 1e-9) / this.#rate : Number.POSITIVE_INFINITY;
  }

  /** When the next busy server gets free. */
  get nextFreeMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const ms of this.#free) if (ms > this.nowMs && ms < next) next = ms;
    return next;
  }

  get isAnyFree(): boolean {
    for (const ms of this.#free) if (ms <= this.nowMs) return true;
    return false;
  }

  /** Batches of each subset and size, where no smaller size holds all who wait; some can only begin later. */
  choices(): Choice[] {
    const choices: Choice[] = [];
    for (const option of this.#options) {
      if (!this.#isSized(option)) continue;
      const choice = emptyChoice();
      if (this.#weigh(option, choice)) choices.push(choice);
    }
    return choices;
  }

  /** Writes the choice of the best score into `best`; false where there is none. */
  findBest(best: Choice): boolean {
    const { fleet } = this;
    best.score = Number.NEGATIVE_INFINITY;
    let found = false;
    const least = this.tail - this.head > CROWDED * fleet.sizes[fleet.sizes.length - 1]! ? fleet.sizes.length - 2 : 0;
    for (const option of this.#options) {
      if (option.size < least || !this.#isSized(option)) continue;
      // the score of the rows alone, were none late and nothing busy, is already less
      const rows = fleet.sizes[option.size]!;
      if (Math.max(0, option.margin) * rows - option.cost < best.score) continue;
      if (this.#weigh(option, this.#scratch) && this.#scratch.score > best.score) {
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

  /** How many of those that wait have time until `ms`. */
  inTime(ms: number): number {
    const tail = this.tail;
    return tail - this.#lateAt(ms, tail);
  }

  /** What the work beyond `ms` is worth that servers have begun. */
  debt(ms: number): number {
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

  /** Works out what a batch would be now; false where it would answer nobody in time. */
  #weigh(option: Option, choice: Choice): boolean {
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

  /** What the servers that are free now are worth for so long. */
  #idleCost(ms: number): number {
    if (ms <= 0) return 0;
    let cost = (PER_BUDGET_WAITED * ms) / this.#state.budgetMs;
    for (let s = 0; s < this.fleet.stations.length; s++) {
      if (this.#free[this.#server(s)]! <= this.nowMs) cost += this.prices.stations[s]! * ms;
    }
    return cost;
  }

  /** The first place from the head on whose deadline is not before `ms`. */
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
