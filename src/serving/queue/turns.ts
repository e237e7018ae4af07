import { largestBatch } from '../policies/latency-model.ts';
import type { PolicyState, QueueView, Subset } from '../policies/policy.ts';
import type { BatcherOptions } from './batch-answer.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { QueuedRequest, RoleShare } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';
import type { Slots } from './slots.ts';

/**
 * If several roles are active, a batch should run no longer than this share of the model's budget: a new request waits
 * for at most one such batch and its own. Where larger batches pay, they run up to {@link LONGEST_SHARE}: the smallest
 * that takes at most {@link NEARLY} times as long for a row as the longest.
 */
const RUN_SHARE = 0.125;
const LONGEST_SHARE = 0.35;
const NEARLY = 1.1;
/** A batch longer than this share of the budget makes others late. */
export const LONG_SHARE = 0.5;

export interface QueueBatch {
  requests: QueuedRequest[];
  subset: Subset;
}

/** The decision on the rows whose turn it is, or null if there are none. */
export type Turn = ({ kind: 'run' } & QueueBatch) | { kind: 'wait'; untilMs: number } | null;

/** Batches of a model with several active roles: roles take turns, and within a role its sessions. */
export class Turns {
  readonly #options: BatcherOptions;
  readonly #requests: RequestQueue;

  constructor(options: BatcherOptions, requests: RequestQueue) {
    this.#options = options;
    this.#requests = requests;
  }

  /** Maximum intended time of a batch, ms. */
  get #limitMs(): number {
    const { fleet, budgetMs } = this.#options;
    const ms = (rows: number): number => fleet.subsetMs(fleet.best, rows);
    const longest = fleet.rowsWithin(LONGEST_SHARE * budgetMs);
    if (longest <= 1) return Math.max(RUN_SHARE * budgetMs, ms(1));
    const rows = fleet.sizes.find((size) => ms(size) / size <= (NEARLY * ms(longest)) / longest) ?? longest;
    return Math.max(RUN_SHARE * budgetMs, ms(Math.min(rows, longest)));
  }

  /**
   * The next batch of requests that can be in time. If no slot is free, only of roles without a running batch, which
   * comes first on the threads.
   */
  next(isAnyFree: boolean, stateOf: (queue: QueueView) => PolicyState): Turn {
    const accepts = ({ running }: RoleShare): boolean => isAnyFree || running === 0;
    const notBeforeMs = this.#options.clock.nowMs() + this.#limitMs;
    const maxRows = (first: RoleShare): number => this.#maxRows(first);
    const picked = this.#requests.turns({ state: 'demanded', maxRows, accepts, notBeforeMs });
    if (picked.length === 0) return null;
    const queue = new DeadlineQueue<QueuedRequest>();
    for (const request of picked) queue.insert(request);
    const decision = this.#options.policy.decide(stateOf(queue));
    if (decision.kind === 'wait') return decision;
    const chosen = new Set(queue.take(decision.from, decision.rows));
    const requests = picked.filter((request) => chosen.has(request));
    this.#requests.takeTurns(requests, 'demanded');
    return { kind: 'run', requests, subset: decision.subset };
  }

  /** From when on a batch may run beyond the slots, because other roles' batches are long. */
  jumpsFromMs(slots: Slots): number {
    return slots.extraFromMs(this.#limitMs);
  }

  /** Late rows to add to a batch: those that are owed, and others while it stays short; neither to nor from slow roles. */
  lateFor(batch: readonly QueuedRequest[], { owed, addable }: { owed: number; addable: number }): QueuedRequest[] {
    const [first] = batch;
    if (first === undefined || batch.some(({ role }) => this.#requests.roleOf(role).isSlow)) return [];
    const room = Math.max(0, this.#maxRows(this.#requests.roleOf(first.role)) - batch.length);
    const rows = owed + Math.min(addable, room);
    return rows === 0 ? [] : this.#late(rows, ({ isSlow }) => !isSlow);
  }

  /** A batch of at most `rows` speculative or late rows; if no slot is free, as in {@link next}. */
  idle(rows: number, isAnyFree: boolean): QueuedRequest[] {
    const late = this.#late(rows, ({ running }) => isAnyFree || running === 0);
    if (late.length > 0 || !isAnyFree) return late;
    const role = this.#requests.nextSpeculative;
    const max = role === undefined ? rows : Math.min(rows, this.#maxRows(this.#requests.roleOf(role)));
    return this.#requests.takeSpeculative(max, true);
  }

  #late(rows: number, accepts: (share: RoleShare) => boolean): QueuedRequest[] {
    const late = this.#requests.turns({
      state: 'deferred',
      maxRows: (first) => Math.min(rows, this.#maxRows(first)),
      accepts,
    });
    this.#requests.takeTurns(late, 'deferred');
    return late;
  }

  #maxRows({ isSlow, slowness }: RoleShare): number {
    const rows = this.#options.fleet.rowsWithin(this.#limitMs / (isSlow ? Math.max(1, slowness) : 1));
    return Math.max(1, Math.min(largestBatch, rows));
  }
}
