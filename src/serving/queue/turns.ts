import { largestBatch } from '../policies/latency-model.ts';
import type { PolicyState, QueueView, Subset } from '../policies/policy.ts';
import type { BatcherOptions } from './batch-answer.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { QueuedRequest, RoleShare } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';

/**
 * Where several roles ask, no batch is meant to run longer than this part of the model’s budget: who comes then waits for one of
 * these at most, and for his own. Two rows may always run together: devices that gain by batches take long for one.
 */
const RUN_SHARE = 0.125;
const RUN_ROWS = 2;
/** Late answers have so large a part of the rows while others can be in time: everybody is answered some day. */
export const DEFERRED_SHARE = 0.125;

/** A batch that is longer than this part of the budget makes others late. */
export const LONG_SHARE = 0.5;

export interface QueueBatch {
  requests: QueuedRequest[];
  subset: Subset;
}

/** What is decided about the rows whose turn it is, or null where there are none. */
export type Turn = ({ kind: 'run' } & QueueBatch) | { kind: 'wait'; untilMs: number } | null;

/** The batches of a model that several roles ask: each role has its turns, and of each its sessions. */
export class Turns {
  readonly #options: BatcherOptions;
  readonly #requests: RequestQueue;
  /** Rows that late answers may take of the batches to come. */
  #owedLate = 0;

  constructor(options: BatcherOptions, requests: RequestQueue) {
    this.#options = options;
    this.#requests = requests;
  }

  /** The longest that a batch is meant to run. */
  get #limitMs(): number {
    const { fleet, budgetMs } = this.#options;
    return Math.max(RUN_SHARE * budgetMs, RUN_ROWS * fleet.subsetMs(fleet.best, 1));
  }

  /**
   * The next batch for those who can be in time. Where no slot is free, of roles of which nothing runs: these do not wait for
   * slots that others have, and their batch comes first on the threads.
   */
  next(isAnyFree: boolean, stateOf: (queue: QueueView) => PolicyState): Turn {
    const admits = ({ running }: RoleShare): boolean => isAnyFree || running === 0;
    const picked = this.#requests.turns({ lane: 'demanded', maxRows: (first) => this.#maxRows(first), admits });
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

  /** Late answers that go along with a batch; none with rows that take long, and none that do. */
  lateBeside(batch: readonly QueuedRequest[]): QueuedRequest[] {
    if (this.#requests.deferred === 0 || batch.some(({ role }) => this.#requests.roleOf(role).isApart)) return [];
    this.#owedLate = Math.min(largestBatch, this.#owedLate + DEFERRED_SHARE * batch.length);
    const max = Math.floor(this.#owedLate);
    const late = max === 0 ? [] : this.#late(max, ({ isApart }) => !isApart);
    this.#owedLate -= late.length;
    return late;
  }

  /** A batch of at most so many rows that nobody waits for in time; where no slot is free, as in {@link next}. */
  idle(rows: number, isAnyFree: boolean): QueuedRequest[] {
    const late = this.#late(rows, ({ running }) => isAnyFree || running === 0);
    if (late.length > 0 || !isAnyFree) return late;
    const role = this.#requests.nextSpeculative;
    const max = role === undefined ? rows : Math.min(rows, this.#maxRows(this.#requests.roleOf(role)));
    return this.#requests.takeSpeculative(max, true);
  }

  #late(rows: number, admits: (share: RoleShare) => boolean): QueuedRequest[] {
    const late = this.#requests.turns({
      lane: 'deferred',
      maxRows: (first) => Math.min(rows, this.#maxRows(first)),
      admits,
    });
    this.#requests.takeTurns(late, 'deferred');
    return late;
  }

  #maxRows({ isApart, slowness }: RoleShare): number {
    const rows = this.#options.fleet.rowsWithin(this.#limitMs / (isApart ? Math.max(1, slowness) : 1));
    return Math.max(1, Math.min(largestBatch, rows));
  }
}
