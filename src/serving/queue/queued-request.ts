import type { Finding } from '../../domain/kinds/kind.ts';
import { DeadlineMissed, LimitReached } from '../../errors/errors.ts';
import type { SessionShare } from './role-share.ts';

/** The states of waiting requests with waiters: those that can be in time, and those that are late anyway. */
export type WaitingState = 'demanded' | 'deferred';

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

export interface QueuedRequest {
  /** Empty once the request is closed: an image is long, and lists in which it has waited are cleaned up later. */
  input: string;
  readonly wantsDetail: boolean;
  /** The first waiter's deadline and budget, ms. */
  deadlineMs: number;
  budgetMs: number;
  /** Whether no waiter wants a late answer. */
  isFirm: boolean;
  /** The role and session whose share of the queue it uses. */
  role: string;
  session: object;
  /** The part that contains it while it waits. */
  part: SessionShare | null;
  state: WaitingState | 'speculative' | 'running' | 'dropped';
  /** Callers; empty for a speculative request. */
  readonly waiters: RequestWaiter[];
}

/** The options of a request. */
export type RequestOptions = Pick<
  QueuedRequest,
  'wantsDetail' | 'deadlineMs' | 'budgetMs' | 'isFirm' | 'role' | 'session'
>;

/** Field by field: spreading costs several times as much, and this runs once per row. */
export function newRequest(input: string, options: RequestOptions, state: QueuedRequest['state']): QueuedRequest {
  const { wantsDetail, deadlineMs, budgetMs, isFirm, role, session } = options;
  return { input, wantsDetail, deadlineMs, budgetMs, isFirm, role, session, part: null, state, waiters: [] };
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
