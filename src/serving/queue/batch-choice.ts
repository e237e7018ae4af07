import { alreadyLate, earliestMs, lateAt } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { Decision, PolicyState, QueueView } from '../policies/policy.ts';
import type { ArrivalRate } from './arrival-rate.ts';
import type { BatcherOptions } from './batch-answer.ts';
import { cannotBeInTime, type QueuedRequest, type RequestOptions } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';
import type { Slots } from './slots.ts';

/**
 * Maximum duration of a speculative or late batch, so that requests which can be in time do not wait long for the
 * device.
 */
const SPECULATIVE_MS = 10;
/** Such a batch is split among free slots if that saves at least this much, more than the cost of a thread hop. */
const SHARING_MS = 0.5;
/** Deadlines at most this far apart count as equal. */
const SAME_MS = 1e-6;

/** The queue, the arrivals, and when slots are free. */
export interface BatchChoiceOptions extends Pick<BatcherOptions, 'fleet' | 'device' | 'policy' | 'clock' | 'budgetMs'> {
  requests: RequestQueue;
  slots: Slots;
  rate: ArrivalRate;
}

/** Chooses the waiting requests of a model's next batch, and those that cannot be answered in time. */
export class BatchChoice {
  readonly #options: BatchChoiceOptions;
  readonly #requests: RequestQueue;
  readonly #slots: Slots;
  readonly #rate: ArrivalRate;

  constructor(options: BatchChoiceOptions) {
    this.#options = options;
    this.#requests = options.requests;
    this.#slots = options.slots;
    this.#rate = options.rate;
  }

  /**
   * Throws DeadlineMissed if the request is late even if the quickest member answers all earlier requests at full
   * speed.
   */
  refuseHopeless({ deadlineMs, budgetMs, role }: RequestOptions, nowMs: number): void {
    const { fleet, device } = this.#options;
    const ahead = this.#requests.before(role, lateAt(this.#requests.queue, deadlineMs + SAME_MS));
    if (ahead === 0) return;
    const rowMs = Math.min(...Array.from({ length: fleet.members }, (_, m) => fleet.latencyMs(m, largestBatch)));
    const readyMs = nowMs + (ahead * rowMs) / (largestBatch * device.slots);
    if (readyMs > deadlineMs) throw cannotBeInTime(budgetMs, readyMs - deadlineMs);
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
    if (isClosing || (few && !this.#slots.anyFree)) return all;
    const state = this.state();
    this.deferLate(state);
    if (this.#requests.demanded === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 1 };
    return policy.decide(state);
  }

  /**
   * When to decide again: at the latest when the first request becomes late, which is then deferred and answered when a
   * slot is free.
   */
  untilNextCheckMs(untilMs: number): number {
    const { fleet, clock } = this.#options;
    const nowMs = clock.nowMs();
    const idle = { ...this.state(), freeMs: [[nowMs]] };
    const firstMs = this.#requests.first()?.deadlineMs ?? Number.POSITIVE_INFINITY;
    return Math.min(untilMs - nowMs, firstMs - earliestMs(fleet, idle));
  }

  deferLate(state: PolicyState): void {
    const { fleet } = this.#options;
    const late = alreadyLate(fleet, state);
    if (late === 0) return;
    const retryMs = fleet.subsetMs(fleet.best, Math.min(late, largestBatch));
    for (const request of this.#requests.deferLate(late)) {
      for (const waiter of request.waiters.splice(0)) waiter.reject(cannotBeInTime(request.budgetMs, retryMs));
    }
  }

  /** A batch of speculative or late rows. */
  idleBatch(rows: number): QueuedRequest[] {
    const late = this.#requests.takeDeferred(rows);
    return [...late, ...this.#requests.takeSpeculative(rows - late.length)];
  }

  /** Speculative rows that fit into a batch: it stays short, and none of its requests becomes late. */
  roomIn(batch: readonly QueuedRequest[]): number {
    const { fleet, clock } = this.#options;
    const leftMs = (batch[0]?.deadlineMs ?? 0) - clock.nowMs();
    return Math.min(this.idleRows(), fleet.rowsWithin(leftMs / fleet.margin)) - batch.length;
  }

  /** Maximum rows of one speculative or late batch: more than run on the event loop, which is busy enough. */
  idleRows(): number {
    const { fleet, device } = this.#options;
    const took = (rows: number): number => fleet.subsetMs(fleet.best, rows);
    const max = fleet.rowsWithin(Math.max(SPECULATIVE_MS, 4 * took(1)));
    const rows = Math.min(max, this.#requests.deferred + this.#requests.speculative);
    const part = Math.ceil(rows / Math.max(1, device.slots - this.#slots.taken));
    return Math.min(largestBatch, Math.max(device.inlineRows + 1, took(rows) - took(part) < SHARING_MS ? max : part));
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
