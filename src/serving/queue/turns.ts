import { ActiveUsers } from '../machine/active-users.ts';
import { finishMs, usefulSubsets } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { PolicyState, QueueView, Subset } from '../policies/policy.ts';
import type { BatcherOptions, BatcherQueue } from './batch-answer.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { QueuedRequest, RoleQueue, WaitingState } from './queued-request.ts';
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
    const turn = this.#quickTurn(rows, stateOf) ?? this.#turn(rows, stateOf);
    if (turn?.kind === 'run') this.#requests.takeTurns(turn.requests, 'demanded');
    return turn;
  }

  #turn(rows: number, stateOf: (queue: QueueView) => PolicyState): Turn {
    const picked = this.#pick('demanded', rows, this.#notBeforeMs);
    if (picked.length === 0) return null;
    const queue = new DeadlineQueue<QueuedRequest>();
    for (const request of picked) queue.insert(request);
    const decision = this.#options.policy.decide(stateOf(queue));
    if (decision.kind === 'wait') return decision;
    const chosen = new Set(queue.take(decision.from, decision.rows));
    return { kind: 'run', requests: picked.filter((request) => chosen.has(request)), subset: decision.subset };
  }

  /**
   * A turn of quicker members, who answer more rows in the same time, if they suit the whole queue, and as many rows as they
   * answer in time. The policy sees all that wait: of one turn it would think that the best members can answer it.
   */
  #quickTurn(rows: number, stateOf: (queue: QueueView) => PolicyState): Turn {
    const { policy, fleet } = this.#options;
    const { queue } = this.#requests;
    if (usefulSubsets(fleet).length === 1 || queue.length <= this.#turnRows) return null;
    const state = stateOf(queue);
    const decision = policy.decide(state);
    if (decision.kind === 'wait' || decision.subset === fleet.best) return null;
    const { subset } = decision;
    const endOf = (size: number): number => finishMs(fleet, state, { subset, rows: size });
    const most = Math.min(rows, decision.rows, this.#rowsWithin(this.#limitMs, subset));
    const picked = this.#pick('demanded', most, endOf(most), { subset });
    const firstMs = picked.reduce((first, { deadlineMs }) => Math.min(first, deadlineMs), Number.POSITIVE_INFINITY);
    let fitting = picked.length;
    while (fitting > 0 && endOf(fitting) > firstMs) fitting--;
    return fitting === 0 ? null : { kind: 'run', requests: picked.slice(0, fitting), subset };
  }

  get #notBeforeMs(): number {
    return this.#options.clock.nowMs() + this.#limitMs;
  }

  /** Late rows to add to a batch: those that are owed, and others while it stays short; neither to nor from slow roles. */
  lateFor(batch: readonly QueuedRequest[], { owed, addable }: { owed: number; addable: number }): QueuedRequest[] {
    const [first] = batch;
    if (first === undefined || batch.some(({ role }) => this.#requests.roleQueueOf(role).isSlow)) return [];
    const room = Math.max(0, this.#maxRows(this.#requests.roleQueueOf(first.role)) - batch.length);
    const rows = owed + Math.min(addable, room);
    return rows === 0 ? [] : this.#late(rows, ({ isSlow }) => !isSlow);
  }

  /** A batch of at most `rows` speculative or late rows. */
  idle(rows: number): QueuedRequest[] {
    const late = this.#late(rows);
    if (late.length > 0) return late;
    const role = this.#requests.nextSpeculative;
    const max = role === undefined ? rows : Math.min(rows, this.#maxRows(this.#requests.roleQueueOf(role)));
    return this.#requests.takeSpeculative(max, true);
  }

  #late(rows: number, accepts = this.#leavesRoom): QueuedRequest[] {
    const late = this.#pick('deferred', rows, 0, { accepts });
    this.#requests.takeTurns(late, 'deferred');
    return late;
  }

  #pick(
    state: WaitingState,
    rows: number,
    notBeforeMs: number,
    { accepts = this.#leavesRoom, subset = this.#options.fleet.best } = {},
  ): QueuedRequest[] {
    const maxRows = (first: RoleQueue): number => Math.min(rows, this.#maxRows(first, subset));
    return this.#requests.turns({ state, maxRows, accepts, notBeforeMs });
  }

  /** Slow rows must leave room for others. */
  readonly #leavesRoom = ({ isSlow }: RoleQueue): boolean => !isSlow || this.#options.machine.leavesRoom(this.#queue);

  #maxRows({ isSlow, slowness }: RoleQueue, subset: Subset = this.#options.fleet.best): number {
    return this.#rowsWithin(isSlow ? this.#limitMs / Math.max(1, slowness) : this.#limitMs, subset);
  }

  get #turnRows(): number {
    return this.#rowsWithin(this.#limitMs, this.#options.fleet.best);
  }

  #rowsWithin(ms: number, subset: Subset): number {
    return Math.max(1, Math.min(largestBatch, this.#options.fleet.rowsWithin(ms, subset)));
  }
}
