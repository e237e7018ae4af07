import type { Clock } from '../../runtime/clock.ts';
import { largestBatch } from '../policies/latency-model.ts';
import { ACTIVE_MS, ActiveUsers, ownCopy } from './active-users.ts';
import { Demands, type ModelQueue, takesMs } from './demand.ts';
import { FairClock } from './fair-clock.ts';
import { Slots } from './slots.ts';

/**
 * A model without waiting requests counts as one row for this long after its last one. Longer, and a model that is hardly ever asked
 * would take capacity from others all the time: where one of its rows takes nearly its budget, a whole thread.
 */
const EXPECTED_MS = 10_000;

/** A batch that has a slot. */
export interface SlotBatch {
  queue: ModelQueue;
  slot: number;
  /** Its rows by role, if several roles are active, and all. */
  rows: ReadonlyMap<string, number>;
  all: number;
  expectedMs: number;
}

/**
 * The threads that all models of a server share. A batch is chosen when a slot is free, never before. Then the queues
 * come in the order in which their first requests have used up their budgets, and a batch is no longer than the requests
 * of other models can wait, unless those models have had more of the machine.
 */
export class Machine {
  readonly slots: Slots;
  readonly activeRoles = new ActiveUsers<string>(ACTIVE_MS);
  readonly #clock: Clock;
  /** Queues with a request within {@link EXPECTED_MS} or one that waits, and when the last one came. */
  readonly #active = new Map<ModelQueue, number>();
  /** In milliseconds of slots. */
  readonly #modelTime = new FairClock<ModelQueue>();
  readonly #roleTime = new FairClock<string>();
  #isLoopTaken = false;

  constructor({ slots, clock }: { slots: number; clock: Clock }) {
    this.slots = new Slots(slots);
    this.#clock = clock;
  }

  requested(queue: ModelQueue, role: string, nowMs: number): void {
    this.#active.set(queue, nowMs);
    this.activeRoles.requested(role, nowMs, ownCopy);
  }

  /** The queue is closed. */
  leave(queue: ModelQueue): void {
    this.#active.delete(queue);
    this.#modelTime.remove(queue);
  }

  /** Whether a batch may run on the event loop: one in each of its turns, of all models, whatever arrives with it. */
  takeLoop(): boolean {
    if (this.#isLoopTaken) return false;
    this.#isLoopTaken = true;
    setImmediate(() => {
      this.#isLoopTaken = false;
    });
    return true;
  }

  /** A batch takes a free slot, for `expectedMs` as far as is known. */
  began(queue: ModelQueue, requests: readonly { role: string }[], expectedMs: number): SlotBatch {
    this.#modelTime.begin(this.#modelTime.startOf(queue));
    const rows = new Map<string, number>();
    if (this.activeRoles.hasSeveral(this.#clock)) {
      for (const { role } of requests) rows.set(role, (rows.get(role) ?? 0) + 1);
      this.#roleTime.begin(this.#earliest(rows.keys()));
    }
    const slot = this.slots.take(this.#clock.nowMs(), expectedMs);
    const batch = { queue, slot, rows, all: requests.length, expectedMs };
    this.#charge(batch, expectedMs);
    return batch;
  }

  /** A batch has had its slot for `ms`; the next ones are chosen. */
  ended(batch: SlotBatch, ms: number): void {
    const { queue, slot, expectedMs } = batch;
    this.#charge(batch, ms - expectedMs);
    this.slots.free(slot);
    const nowMs = this.#clock.nowMs();
    const turns = [{ queue, left: budgetLeft(queue, nowMs) }];
    for (const other of this.#active.keys()) {
      if (other !== queue && other.requests.length > 0) turns.push({ queue: other, left: budgetLeft(other, nowMs) });
    }
    for (const turn of turns.sort((a, b) => a.left - b.left)) turn.queue.dispatch();
  }

  /**
   * How many rows may take a slot now; 0 if they must wait for an event. Those that make no request of another model
   * late; where already one row would, a batch that pays, if no other request waits on an idle machine, or if `mayDelay`
   * and the other models have had more.
   */
  rowsFor(queue: ModelQueue, mayDelay: boolean): number {
    const demands = this.#otherDemands(queue);
    if (demands === null) return largestBatch;
    const { fleet, budgetMs } = queue;
    const delayed = (rows: number): ModelQueue[] => demands.lateFrom(this.#nextFreeMs(takesMs(fleet, rows)));
    let low = 0;
    for (let high: number = largestBatch; low < high; ) {
      const middle = (low + high + 1) >>> 1;
      if (delayed(middle).length === 0) low = middle;
      else high = middle - 1;
    }
    if (low > 0) return low;
    const comesFirst = delayed(1).every(
      (other) => this.#isIdleFor(other) || (mayDelay && this.#comesFirst(queue, other)),
    );
    return comesFirst ? Math.max(1, fleet.rowsWithin(fleet.turnMs(budgetMs))) : 0;
  }

  /** Whether a batch of so many milliseconds makes no request of another model late. */
  isHarmless(queue: ModelQueue, ms: number): boolean {
    const demands = this.#otherDemands(queue);
    return demands === null || demands.lateFrom(this.#nextFreeMs(ms)).length === 0;
  }

  /**
   * Whether a slot stays free if a role's far slower rows take one: how long they run is hardly known, and all other
   * requests would wait for them. After a minute they may take the last one, too.
   */
  leavesRoom({ requests }: ModelQueue): boolean {
    const { taken, count } = this.slots;
    return count === 1 || taken + 1 < count || requests.hasOld(this.#clock.nowMs());
  }

  #charge({ queue, rows, all }: SlotBatch, ms: number): void {
    this.#modelTime.charge(queue, ms);
    for (const [role, count] of rows) this.#roleTime.charge(role, (ms * count) / all);
  }

  /** When the next slot is free if a batch takes one for `ms` now. */
  #nextFreeMs(ms: number): number {
    return this.slots.nextFreeMs(this.#clock.nowMs(), ms);
  }

  /** Of other models; null if none is active, or another slot is free for them. */
  #otherDemands(queue: ModelQueue): Demands | null {
    if (this.slots.taken + 1 < this.slots.count) return null;
    if (this.#active.size === 0 || (this.#active.size === 1 && this.#active.has(queue))) return null;
    const nowMs = this.#clock.nowMs();
    const demands = new Demands(nowMs);
    for (const [other, lastMs] of this.#active) {
      if (nowMs - lastMs >= EXPECTED_MS && other.requests.length === 0) this.#active.delete(other);
      else if (other !== queue) demands.add(other, lastMs);
    }
    demands.order();
    return demands;
  }

  /** Whether none of its requests waits on an idle machine: then waiting is of no use to those that may come. */
  #isIdleFor(other: ModelQueue): boolean {
    return this.slots.taken === 0 && other.requests.queue.length === 0;
  }

  /** Whether `queue` may make requests of `other` late: that has had more of the machine, or as much and is late anyway. */
  #comesFirst(queue: ModelQueue, other: ModelQueue): boolean {
    const [own, its] = [this.#startOf(queue), this.#startOf(other)];
    if (own !== its || this.slots.taken === 0) return own <= its;
    const nowMs = this.#clock.nowMs();
    const alone = new Demands(nowMs);
    alone.add(other, nowMs);
    return alone.lateFrom(nowMs).length > 0;
  }

  /** Start tag: of its roles whose requests wait, if several are active. */
  #startOf(queue: ModelQueue): number {
    if (!this.activeRoles.hasSeveral(this.#clock)) return this.#modelTime.startOf(queue);
    return this.#earliest(queue.requests.waitingRoles);
  }

  #earliest(roles: Iterable<string>): number {
    let first = Number.POSITIVE_INFINITY;
    for (const role of roles) first = Math.min(first, this.#roleTime.startOf(role));
    return Number.isFinite(first) ? first : this.#roleTime.startOfNew;
  }
}

/** The share of its budget that the first request still has; infinite if all are late, and none has waited for long. */
function budgetLeft({ requests }: ModelQueue, nowMs: number): number {
  const first = requests.first();
  if (first !== undefined) return (first.deadlineMs - nowMs) / first.budgetMs;
  return requests.hasOld(nowMs) ? 0 : Number.POSITIVE_INFINITY;
}
