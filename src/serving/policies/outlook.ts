import { everyone, stationMs, usefulSubsets } from './batches.ts';
import type { Fleet, PolicyState, Subset } from './policy.ts';
import type { Prices } from './prices.ts';

/** A batch that could be dispatched at some moment. */
export interface Choice {
  subset: Subset;
  /** Place in the queue that it begins at, and how many it answers in time. */
  from: number;
  rows: number;
  /** Its allowed size, as an index. */
  size: number;
  /** When its last station can begin: later than now where that is busy. */
  startMs: number;
  /** Reward minus what its time, and those whom it leaves behind, are worth. */
  score: number;
}

/** Of batches worth the same, the one with more rows, and the one that begins earlier; both far below any accuracy. */
const PER_ROW = 1e-4;
const PER_BUDGET_WAITED = 1e-3;

/**
 * The queue and the servers as they are and, with arrivals that keep their rate, as they will be. Places count from the
 * head of the queue as it is at the decision; those beyond its end have yet to arrive. Moves forward by `take` and by
 * setting `nowMs`, and back to the decision by `reset`.
 */
export class Outlook {
  readonly fleet: Fleet;
  readonly prices: Prices;
  readonly subsets: readonly Subset[];
  nowMs: number;
  head = 0;
  readonly #state: PolicyState;
  /** When each server is free, station by station; those of station s begin at `#first[s]`. */
  readonly #free: Float64Array;
  readonly #first: number[] = [];
  /** Time of a batch at each station, ms: [subset][size][station]. */
  readonly #times: Float64Array;

  constructor(fleet: Fleet, state: PolicyState, prices: Prices) {
    this.fleet = fleet;
    this.prices = prices;
    this.subsets = usefulSubsets(fleet);
    this.nowMs = state.nowMs;
    this.#state = state;
    let servers = 0;
    for (const station of fleet.stations) {
      this.#first.push(servers);
      servers += station.servers;
    }
    this.#first.push(servers);
    this.#free = new Float64Array(servers);
    this.#times = timesOf(fleet);
    this.reset();
  }

  reset(): void {
    this.nowMs = this.#state.nowMs;
    this.head = 0;
    this.#free.set(this.#state.freeMs.flat());
  }

  /** Where the queue ends by then. */
  get tail(): number {
    const { queue, rate, nowMs } = this.#state;
    return queue.length + Math.floor(rate * (this.nowMs - nowMs));
  }

  get nextArrivalMs(): number {
    const { queue, rate, nowMs } = this.#state;
    return rate > 0 ? nowMs + (this.tail - queue.length + 1 + 1e-9) / rate : Number.POSITIVE_INFINITY;
  }

  /** When the next busy server gets free. */
  get nextFreeMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const ms of this.#free) if (ms > this.nowMs && ms < next) next = ms;
    return next;
  }

  get isAnyFree(): boolean {
    return this.#free.some((ms) => ms <= this.nowMs);
  }

  /** Batches of each subset and size, none of which more than the smallest possible is padding; some can only begin later. */
  choices(): Choice[] {
    const { sizes } = this.fleet;
    const waiting = this.tail - this.head;
    const choices: Choice[] = [];
    for (const subset of this.subsets) {
      for (let size = 0; size < sizes.length && (size === 0 || sizes[size - 1]! < waiting); size++) {
        const choice = this.#choice(subset, size);
        if (choice !== null) choices.push(choice);
      }
    }
    return choices;
  }

  take({ subset, from, rows, size }: Choice): void {
    this.fleet.stations.forEach((station, s) => {
      if ((station.members & subset) === 0) return;
      const server = this.#server(s);
      this.#free[server] = Math.max(this.nowMs, this.#free[server]!) + this.#time(subset, size, s);
    });
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
    this.#free.forEach((free, server) => {
      const station = this.#first.findLastIndex((first) => first <= server);
      worth += this.prices.stations[station]! * Math.max(0, free - ms);
    });
    return worth;
  }

  #choice(subset: Subset, size: number): Choice | null {
    const { fleet, prices, nowMs } = this;
    let startMs = nowMs;
    let finishMs = nowMs;
    let cost = 0;
    for (let s = 0; s < fleet.stations.length; s++) {
      if ((fleet.stations[s]!.members & subset) === 0) continue;
      const ms = this.#time(subset, size, s);
      const begin = Math.max(nowMs, this.#free[this.#server(s)]!);
      startMs = Math.max(startMs, begin);
      finishMs = Math.max(finishMs, begin + fleet.margin * ms);
      cost += prices.stations[s]! * ms;
    }
    const tail = this.tail;
    const from = this.#lateAt(finishMs, tail);
    const rows = Math.min(fleet.sizes[size]!, tail - from);
    if (rows <= 0) return null;
    const reward = (fleet.accuracy[subset]! - prices.request) * rows + PER_ROW * rows;
    const score = reward - cost - prices.request * (from - this.head) - this.#idleCost(startMs);
    return { subset, from, rows, size, startMs, score };
  }

  /** What the servers that are free now are worth until then. */
  #idleCost(startMs: number): number {
    const ms = startMs - this.nowMs;
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
    const { queue, nowMs, rate, budgetMs } = this.#state;
    if (place < queue.length) return queue.deadlineMs(place);
    return nowMs + (place - queue.length + 1) / rate + budgetMs;
  }

  /** The server of a station that is free first. */
  #server(station: number): number {
    let best = this.#first[station]!;
    for (let i = best + 1; i < this.#first[station + 1]!; i++) if (this.#free[i]! < this.#free[best]!) best = i;
    return best;
  }

  #time(subset: Subset, size: number, station: number): number {
    const { sizes, stations } = this.fleet;
    return this.#times[(subset * sizes.length + size) * stations.length + station]!;
  }
}

function timesOf(fleet: Fleet): Float64Array {
  const { sizes, stations } = fleet;
  const times = new Float64Array((everyone(fleet) + 1) * sizes.length * stations.length);
  let at = 0;
  for (let subset = 0; subset <= everyone(fleet); subset++) {
    for (const rows of sizes) for (const station of stations) times[at++] = stationMs(fleet, station, { subset, rows });
  }
  return times;
}
