import { doomed, earliestMs, lateAt } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { Decision, PolicyState, QueueView } from '../policies/policy.ts';
import type { ArrivalRate } from './arrival-rate.ts';
import type { BatcherOptions } from './batch-answer.ts';
import { cannotBeInTime, type QueuedRequest, type RequestOptions } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';
import type { Slots } from './slots.ts';

/** A batch of rows that nobody waits for in time must not keep a device for longer from those who do. */
const SPECULATIVE_MS = 10;
/** Such a batch is shared among the free slots where each is that much sooner done: more than posting to a thread takes. */
const SHARING_MS = 0.5;
/** Deadlines no further apart are the same one. */
const SAME_MS = 1e-6;

/** What is in the queue and on the way, and when something is free. */
export interface BatchChoiceOptions extends Pick<BatcherOptions, 'fleet' | 'device' | 'policy' | 'clock' | 'budgetMs'> {
  requests: RequestQueue;
  slots: Slots;
  rate: ArrivalRate;
}

/** Which of the requests that wait for a model go into its next batch, and which will not be answered in time. */
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

  /** Refuses at once what is late even if the quickest member answers all that is due before, at full speed. */
  refuseHopeless({ deadlineMs, budgetMs, role }: RequestOptions, nowMs: number): void {
    const { fleet, device } = this.#options;
    const ahead = this.#requests.before(role, lateAt(this.#requests.queue, deadlineMs + SAME_MS));
    if (ahead === 0) return;
    const rowMs = Math.min(...Array.from({ length: fleet.members }, (_, m) => fleet.latencyMs(m, largestBatch)));
    const readyMs = nowMs + (ahead * rowMs) / (largestBatch * device.slots);
    if (readyMs > deadlineMs) throw cannotBeInTime(budgetMs, readyMs - deadlineMs);
  }

  /** Those who cannot be in time are refused or put off first; `few`: they can run at once whatever else is busy. */
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
    this.setLateAside(state);
    if (this.#requests.demanded === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 1 };
    return policy.decide(state);
  }

  /**
   * When to look again: at the latest when the first request could not be in time any more, which is put off then, and answered
   * once a slot is free.
   */
  untilNextLookMs(untilMs: number): number {
    const { fleet, clock } = this.#options;
    const nowMs = clock.nowMs();
    const idle = { ...this.state(), freeMs: [[nowMs]] };
    const firstMs = this.#requests.first()?.deadlineMs ?? Number.POSITIVE_INFINITY;
    return Math.min(untilMs - nowMs, firstMs - earliestMs(fleet, idle));
  }

  setLateAside(state: PolicyState): void {
    const { fleet } = this.#options;
    const late = doomed(fleet, state);
    if (late === 0) return;
    const retryMs = fleet.subsetMs(fleet.best, Math.min(late, largestBatch));
    for (const request of this.#requests.setAside(late)) {
      for (const waiter of request.waiters.splice(0)) waiter.reject(cannotBeInTime(request.budgetMs, retryMs));
    }
  }

  /** A batch of rows that nobody waits for in time. */
  idleBatch(rows: number): QueuedRequest[] {
    const late = this.#requests.takeDeferred(rows);
    return [...late, ...this.#requests.takeSpeculative(rows - late.length)];
  }

  /** Rows read ahead that a batch can take along: it stays short, and nobody in it becomes late. */
  roomIn(batch: readonly QueuedRequest[]): number {
    const { fleet, clock } = this.#options;
    const leftMs = (batch[0]?.deadlineMs ?? 0) - clock.nowMs();
    return Math.min(this.idleRows(), fleet.rowsWithin(leftMs / fleet.margin)) - batch.length;
  }

  /** Rows that nobody waits for in time which one batch takes: more than run on the event loop, which has enough to do. */
  idleRows(): number {
    const { fleet, device } = this.#options;
    const took = (rows: number): number => fleet.subsetMs(fleet.best, rows);
    const max = fleet.rowsWithin(Math.max(SPECULATIVE_MS, 4 * took(1)));
    const rows = Math.min(max, this.#requests.deferred + this.#requests.speculative);
    const part = Math.ceil(rows / Math.max(1, device.slots - this.#slots.taken));
    return Math.min(largestBatch, Math.max(device.inlineRows + 1, took(rows) - took(part) < SHARING_MS ? max : part));
  }

  /** The rate is worked out only when a policy wants it: a lone request is answered before that. */
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
