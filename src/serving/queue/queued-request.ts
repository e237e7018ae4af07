import type { Finding } from '../../domain/kinds/kind.ts';
import { DeadlineMissed, LimitReached } from '../../errors/errors.ts';
import type { TracedCall } from '../../tracing/traced-call.ts';
import type { FairClock } from '../machine/fair-clock.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

/** The states of waiting requests with waiters: those that can be in time, and those that are late anyway. */
export type WaitingState = 'demanded' | 'deferred';

/** Waiting requests of one session for one model. */
export interface SessionQueue {
  readonly session: object;
  readonly roleQueue: RoleQueue;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingState, number>;
  /** Includes requests that have left; those are skipped. */
  readonly queues: Readonly<Record<WaitingState, DeadlineQueue<QueuedRequest>>>;
}

/** Waiting requests of one role for one model, and the role's statistics. */
export interface RoleQueue {
  readonly role: string;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingState, number>;
  readonly sessionQueues: Map<object, SessionQueue>;
  /** Tags of its sessions, in rows. */
  readonly clock: FairClock<object>;
  /** The last of these that became empty, reused for sessions that send one row after another. */
  spare: SessionQueue | null;
  /** Running batches that contain its rows. */
  running: number;
  /** Time of its own batches as a multiple of c(b), average and quickest; 0 while unknown. */
  slowness: number;
  quickest: number;
  /** Whether its rows run in batches of their own only, because they take far longer than other rows. */
  isSlow: boolean;
}

/** Size of the waiting requests. */
export class QueueLoad {
  rows = 0;
  chars = 0;

  add({ input }: { input: string }): void {
    this.rows++;
    this.chars += input.length;
  }

  remove({ input }: { input: string }): void {
    this.rows--;
    this.chars -= input.length;
  }
}

export interface RequestOutcome {
  answer: string;
  /** Set if details were requested. */
  finding: Finding | null;
  /** Rows of its batch. */
  batch: number;
  /** Number of members in the subset. */
  members: number;
}

export interface RequestWaiter {
  resolve(outcome: RequestOutcome): void;
  reject(error: unknown): void;
}

/** A waiter of a request that has several, and what it asked for: its deadline must not decide for the others. */
export interface JoinedWaiter {
  waiter: RequestWaiter;
  options: RequestOptions;
}

/** Waiters that get no answer, and why: their budget was too short, or too many late requests wait. */
export interface RefusedWaiters {
  waiters: readonly RequestWaiter[];
  budgetMs: number;
  isFirm: boolean;
}

export interface QueuedRequest {
  /** Empty once the request is closed: an image is long, and lists in which it has waited are cleaned up later. */
  input: string;
  readonly wantsDetail: boolean;
  /** The earliest deadline of its waiters, and the budget of that one, ms. */
  deadlineMs: number;
  budgetMs: number;
  /** Whether no waiter wants a late answer. */
  isFirm: boolean;
  /** The role and session whose turn it waits for. */
  role: string;
  session: object;
  /** The first call that asked, if it is traced. */
  trace: TracedCall | undefined;
  /** Contains it while it waits. */
  sessionQueue: SessionQueue | null;
  state: WaitingState | 'speculative' | 'running' | 'dropped';
  /** Callers; empty for a speculative request. */
  readonly waiters: RequestWaiter[];
  /** Null as long as there is only one. */
  joined: JoinedWaiter[] | null;
}

/** The options of a request. */
export type RequestOptions = Pick<
  QueuedRequest,
  'wantsDetail' | 'deadlineMs' | 'budgetMs' | 'isFirm' | 'role' | 'session'
> & { trace?: TracedCall | undefined };

/** Field by field: spreading costs several times as much, and this runs once per row. */
export function newRequest(input: string, options: RequestOptions, state: QueuedRequest['state']): QueuedRequest {
  const { wantsDetail, deadlineMs, budgetMs, isFirm, role, session, trace } = options;
  return {
    input,
    wantsDetail,
    deadlineMs,
    budgetMs,
    isFirm,
    role,
    session,
    trace,
    sessionQueue: null,
    state,
    waiters: [],
    joined: null,
  };
}

export const queueFull = (queued: number): LimitReached =>
  new LimitReached('too many predictions wait for this model', {
    detail: `${queued} are queued`,
    hint: 'Repeat the call later, or use fewer concurrent sessions.',
  });

/** The late requests before it take too long. */
export const lateQueueFull = (maxMs: number): LimitReached =>
  new LimitReached('too many late predictions wait for this model', {
    detail: `They take the server longer than ${round(maxMs / 1000)} s.`,
    hint: 'Repeat the call later, or deploy the model on more servers.',
  });

/** The request cannot be answered in time; known before it is computed. */
export const cannotBeInTime = (budgetMs: number, retryMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction cannot be answered within its latency budget', {
    detail: `The waiting requests take the server longer than ${round(budgetMs)} ms.`,
    hint: `Repeat the call in ${Math.max(1, Math.ceil(retryMs))} ms, raise rafiki.latency_budget, or accept late answers: set rafiki.on_overdue = 'answer'.`,
  });

const round = (ms: number): number => Number(ms.toFixed(1));
