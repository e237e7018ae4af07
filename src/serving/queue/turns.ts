import { ActiveUsers } from '../machine/active-users.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { PolicyState, QueueView, Subset } from '../policies/policy.ts';
import type { BatcherOptions, BatcherQueue } from './batch-answer.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { QueuedRequest, RoleShare, WaitingState } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';

/** A batch longer than this share of the budget makes others late. */
export const LONG_SHARE = 0.5;

/** A session is active for this long after its last request. */
const ACTIVE_SESSION_MS = 10_000;

export interface QueueBatch {
  requests: QueuedRequest[];
  subset: Subset;
}

/** The decision on the rows whose turn it is, or null if there are none. */
export type Turn = ({ kind: 'run' } & QueueBatch) | { kind: 'wait'; untilMs: number } | null;

/**
 * Batches of a model that several roles ask, or sessions of one role that have much and little: roles take turns, and
 * within a role its sessions.
 */
export class Turns {
  readonly #options: BatcherOptions;
  readonly #queue: BatcherQueue;
  readonly #requests: RequestQueue;
  readonly #activeSessions = new ActiveUsers<object>(ACTIVE_SESSION_MS);

  constructor(options: BatcherOptions, queue: BatcherQueue) {
    this.#options = options;
    this.#queue = queue;
    this.#requests = queue.requests;
  }

  requestedBy(session: object, nowMs: number): void {
    this.#activeSessions.requested(session, nowMs);
  }

  /**
   * Whether turns are taken now. Sessions that ask for single rows are equals, whose deadlines order them; if one asks for
   * more at once than a turn has, others must not wait for all of it.
   */
  get areTaken(): boolean {
    const { clock, machine } = this.#options;
    if (machine.activeRoles.hasSeveral(clock)) return true;
    const { count, surplus } = this.#requests.sessions;
    const haveOthers = surplus > 0 && (count > 1 || this.#activeSessions.hasSeveral(clock));
    return haveOthers && surplus > this.#turnRows;
  }

  /** Maximum intended time of a batch, ms. */
  get #limitMs(): number {
    const { fleet, budgetMs } = this.#options;
    return fleet.turnMs(budgetMs);
  }

  /** The next batch, of at most `rows` requests that can be in time. */
  next(rows: number, stateOf: (queue: QueueView) => PolicyState): Turn {
    if (rows === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY };
    const notBeforeMs = this.#options.clock.nowMs() + this.#limitMs;
    const picked = this.#pick('demanded', rows, notBeforeMs);
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

  /** Late rows to add to a batch: those that are owed, and others while it stays short; neither to nor from slow roles. */
  lateFor(batch: readonly QueuedRequest[], { owed, addable }: { owed: number; addable: number }): QueuedRequest[] {
    const [first] = batch;
    if (first === undefined || batch.some(({ role }) => this.#requests.roleOf(role).isSlow)) return [];
    const room = Math.max(0, this.#maxRows(this.#requests.roleOf(first.role)) - batch.length);
    const rows = owed + Math.min(addable, room);
    return rows === 0 ? [] : this.#late(rows, ({ isSlow }) => !isSlow);
  }

  /** A batch of at most `rows` speculative or late rows. */
  idle(rows: number): QueuedRequest[] {
    const late = this.#late(rows);
    if (late.length > 0) return late;
    const role = this.#requests.nextSpeculative;
    const max = role === undefined ? rows : Math.min(rows, this.#maxRows(this.#requests.roleOf(role)));
    return this.#requests.takeSpeculative(max, true);
  }

  #late(rows: number, accepts?: (share: RoleShare) => boolean): QueuedRequest[] {
    const late = this.#pick('deferred', rows, 0, accepts);
    this.#requests.takeTurns(late, 'deferred');
    return late;
  }

  /** Slow rows must leave room for others. */
  #pick(
    state: WaitingState,
    rows: number,
    notBeforeMs: number,
    accepts = ({ isSlow }: RoleShare): boolean => !isSlow || this.#options.machine.leavesRoom(this.#queue),
  ): QueuedRequest[] {
    const maxRows = (first: RoleShare): number => Math.min(rows, this.#maxRows(first));
    return this.#requests.turns({ state, maxRows, accepts, notBeforeMs });
  }

  #maxRows({ isSlow, slowness }: RoleShare): number {
    return isSlow ? this.#rowsWithin(this.#limitMs / Math.max(1, slowness)) : this.#turnRows;
  }

  get #turnRows(): number {
    return this.#rowsWithin(this.#limitMs);
  }

  #rowsWithin(ms: number): number {
    return Math.max(1, Math.min(largestBatch, this.#options.fleet.rowsWithin(ms)));
  }
}
