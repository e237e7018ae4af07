import type { Slots } from '../machine/slots.ts';
import { alreadyLate, earliestMs, lateAt } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { Decision, PolicyState, QueueView, Subset } from '../policies/policy.ts';
import type { ArrivalRate } from './arrival-rate.ts';
import type { BatcherOptions, BatcherQueue } from './batch-answer.ts';
import { MAX_LATE_MS } from './limits.ts';
import { QueuePart } from './queue-part.ts';
import { cannotBeInTime, lateQueueFull, type QueuedRequest, type RequestOptions } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';
import { SpareTime } from './spare-time.ts';
import { LONG_SHARE } from './turns.ts';

/** Maximum duration of a batch with speculative rows: few of them may be needed. */
const SPECULATIVE_MS = 10;
/** Such a batch is split among free slots if that saves at least this much, more than the cost of a thread hop. */
const SPLIT_MS = 0.5;
/** Deadlines at most this far apart count as equal. */
const SAME_MS = 1e-6;

/**
 * If all requests are refused because they seem late, one in this time is computed nevertheless, on an idle machine: otherwise nothing
 * would show that the model is quick again.
 */
const TRY_MS = 1_000;

/** The model's queue, and the machine. */
export interface BatchChoiceOptions
  extends Pick<BatcherOptions, 'fleet' | 'device' | 'policy' | 'clock' | 'budgetMs' | 'machine'> {
  queue: BatcherQueue;
}

/** Chooses the waiting requests of a model's next batch, and those that cannot be answered in time. */
export class BatchChoice {
  readonly #options: BatchChoiceOptions;
  readonly #requests: RequestQueue;
  readonly #slots: Slots;
  readonly #rate: ArrivalRate;
  readonly spare: SpareTime;
  /** Whether a batch would have made requests of other models late at the last decision. */
  #isBlocked = false;
  /** Since then every request that accepts no late answer seemed late. */
  #refusingSinceMs: number | undefined;

  constructor(options: BatchChoiceOptions) {
    this.#options = options;
    this.#requests = options.queue.requests;
    this.#slots = options.machine.slots;
    this.#rate = options.queue.rate;
    this.spare = new SpareTime(options);
  }

  /** Whether a batch of this model can start now. */
  get canStart(): boolean {
    return this.#slots.anyFree && this.#options.device.isFree;
  }

  /**
   * Whether no event may come: requests of other models have the slot that is free, late rows wait on an idle machine,
   * or the model's only thread loads another.
   */
  get mustRetry(): boolean {
    const { length, demanded } = this.#requests;
    if (length === 0 || !this.#slots.anyFree) return false;
    return this.#isBlocked || (length > demanded && this.#slots.taken === 0) || !this.canStart;
  }

  /**
   * Throws DeadlineMissed if the request is late even if the quickest member answers all earlier requests at full
   * speed.
   */
  refuseHopeless(options: RequestOptions, nowMs: number): void {
    const { fleet } = this.#options;
    const { deadlineMs, budgetMs } = options;
    const ahead = this.#requests.before(options, lateAt(this.#requests.queue, deadlineMs + SAME_MS));
    if (ahead === 0) return;
    const rowMs = Math.min(...Array.from({ length: fleet.members }, (_, m) => fleet.latencyMs(m, largestBatch)));
    const readyMs = nowMs + (ahead * rowMs) / (largestBatch * this.#slots.count);
    if (readyMs > deadlineMs) throw cannotBeInTime(budgetMs, readyMs - deadlineMs);
  }

  /** The decision on a request that is alone, and can run immediately. */
  lone(deadlineMs: number): Decision {
    const { fleet, policy } = this.#options;
    if (!this.canStart) return { kind: 'dispatch', subset: fleet.best, from: 0, rows: 1 };
    const queue = { length: 1, deadlineMs: (place: number) => (place === 0 ? deadlineMs : Number.POSITIVE_INFINITY) };
    return policy.decide(this.state(queue));
  }

  /**
   * First refuses or defers the requests that cannot be in time. `few`: they can run immediately, even if all slots are
   * busy.
   */
  decide({ few, isClosing }: { few: boolean; isClosing: boolean }): Decision {
    const { fleet, policy } = this.#options;
    const all = {
      kind: 'dispatch',
      subset: fleet.best,
      from: 0,
      rows: Math.min(this.#requests.demanded, largestBatch),
    } as const;
    if (isClosing || (few && !this.canStart)) return all;
    const state = this.state();
    if (this.deferLate(state)) return { kind: 'dispatch', subset: fleet.best, from: 0, rows: 1 };
    if (this.#requests.demanded === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 1 };
    const rows = few ? largestBatch : this.allowedRows();
    if (rows === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
    if (rows >= Math.min(this.#requests.demanded, largestBatch)) return policy.decide(state);
    const endMs = state.nowMs + fleet.margin * fleet.subsetMs(fleet.best, rows);
    const part = new QueuePart(this.#requests.queue, rows, endMs);
    const decision = policy.decide(this.state(part));
    return decision.kind === 'wait' ? decision : { ...decision, from: part.from + decision.from };
  }

  /** How many rows the next batch of requests may have, while other models make requests; 0 if it must wait. */
  allowedRows(): number {
    const rows = this.#options.machine.rowsFor(this.#options.queue, true);
    this.#isBlocked = rows === 0;
    return rows;
  }

  /**
   * When to decide again: at the latest when the first request becomes late, which is then deferred and answered when a
   * slot is free.
   */
  nextCheckMs(untilMs: number): number {
    const { fleet, clock } = this.#options;
    const nowMs = clock.nowMs();
    const idle = { ...this.state(), freeMs: [[nowMs]] };
    const firstMs = this.#requests.first()?.deadlineMs ?? Number.POSITIVE_INFINITY;
    return Math.min(untilMs, nowMs + firstMs - earliestMs(fleet, idle));
  }

  /** Returns whether a request that seems late is to be tried nevertheless: the first one then waits. */
  deferLate(state: PolicyState): boolean {
    const { fleet } = this.#options;
    const seemLate = alreadyLate(fleet, state);
    const triesOne = this.#triesLate(seemLate, state.nowMs);
    const late = triesOne ? seemLate - 1 : seemLate;
    if (late === 0) return triesOne;
    const retryMs = fleet.subsetMs(fleet.best, Math.min(late, largestBatch));
    for (const { waiters, budgetMs, isFirm } of this.#requests.deferLate(late, this.#maxLateRows())) {
      const error = isFirm ? cannotBeInTime(budgetMs, retryMs) : lateQueueFull(MAX_LATE_MS);
      for (const waiter of waiters) waiter.reject(error);
    }
    return triesOne;
  }

  #triesLate(late: number, nowMs: number): boolean {
    if (late < this.#requests.demanded || this.#requests.first()?.isFirm !== true) {
      this.#refusingSinceMs = undefined;
      return false;
    }
    this.#refusingSinceMs ??= nowMs;
    if (this.#slots.taken > 0 || nowMs - this.#refusingSinceMs < TRY_MS) return false;
    this.#refusingSinceMs = nowMs;
    return true;
  }

  /** Rows that the device answers within {@link MAX_LATE_MS}, in batches of half a budget. */
  #maxLateRows(): number {
    const { fleet, budgetMs } = this.#options;
    const rows = Math.max(1, fleet.rowsWithin(LONG_SHARE * budgetMs));
    return (MAX_LATE_MS * this.#slots.count * rows) / fleet.subsetMs(fleet.best, rows);
  }

  /** A batch of speculative or late rows. */
  idleBatch(rows: number): QueuedRequest[] {
    const late = this.#requests.takeDeferred(rows);
    return [...late, ...this.#requests.takeSpeculative(Math.min(rows, this.#speculativeRows()) - late.length)];
  }

  /** Adds late and speculative rows to a batch as long as they make no request late. */
  addTo(batch: QueuedRequest[], subset: Subset): void {
    if (this.#requests.deferred + this.#requests.speculative === 0) return;
    const rows = this.spare.addable(batch, subset);
    const late = this.#requests.takeDeferred(rows);
    batch.push(...late);
    if (subset !== this.#options.fleet.best) return;
    const speculative = Math.min(rows - late.length, this.#speculativeRows() - batch.length);
    batch.push(...this.#requests.takeSpeculative(speculative));
  }

  /** Maximum rows of one speculative or late batch: more than run on the event loop, which is busy enough. */
  idleRows(): number {
    const { fleet, device, machine, queue, clock } = this.#options;
    const took = (rows: number): number => fleet.subsetMs(fleet.best, rows);
    const harmless = Math.min(this.spare.alone(), machine.rowsFor(queue, this.#requests.hasOld(clock.nowMs())));
    const max = this.#requests.deferred > 0 ? harmless : Math.min(harmless, this.#speculativeRows());
    if (max === 0) return 0;
    const split = Math.ceil(max / Math.max(1, this.#slots.count - this.#slots.taken));
    return Math.max(device.inlineRows + 1, took(max) - took(split) < SPLIT_MS ? max : split);
  }

  #speculativeRows(): number {
    const { fleet } = this.#options;
    return Math.max(1, fleet.rowsWithin(Math.max(SPECULATIVE_MS, 4 * fleet.subsetMs(fleet.best, 1))));
  }

  /** The rate is computed lazily: a lone request is answered without it. */
  state(queue: QueueView = this.#requests.queue, freeMs?: readonly number[]): PolicyState {
    const nowMs = this.#options.clock.nowMs();
    const budgetMs = this.#requests.first()?.budgetMs ?? this.#options.budgetMs;
    const rate = this.#rate;
    return {
      nowMs,
      queue,
      budgetMs,
      freeMs: [freeMs ?? this.#slots.freeMs(nowMs)],
      get rate() {
        return rate.at(nowMs);
      },
    };
  }
}
