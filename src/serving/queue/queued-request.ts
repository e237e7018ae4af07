import type { Finding } from '../../domain/kinds/kind.ts';
import { DeadlineMissed, LimitReached } from '../../errors/errors.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

/** Where requests wait that somebody wants answered: in time, or late as they are. */
export type WaitingLane = 'demanded' | 'deferred';

/** What one session of a role has waiting for one model. */
export interface SessionShare {
  readonly session: object;
  readonly share: RoleShare;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingLane, number>;
  /** With some that have left: those are passed over. */
  readonly queues: Readonly<Record<WaitingLane, DeadlineQueue<QueuedRequest>>>;
}

/** What one role has waiting for one model, and what is known of it. */
export interface RoleShare {
  readonly role: string;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingLane, number>;
  /** By session; whose turn is next comes first. */
  readonly parts: Map<object, SessionShare>;
  /** The part that was empty last: a session that asks one row after another has the same again. */
  spare: SessionShare | null;
  /** Batches that run with rows of it. */
  running: number;
  /** How many times c(b) batches of its own take, on average and at their quickest, 0 while that is not known. */
  slowness: number;
  quickest: number;
  /** Whether it has batches of its own only, since these take far longer than others'. */
  isApart: boolean;
}

/** How much waits. */
export class QueueLoad {
  rows = 0;
  chars = 0;

  add({ text }: { text: string }): void {
    this.rows++;
    this.chars += text.length;
  }

  remove({ text }: { text: string }): void {
    this.rows--;
    this.chars -= text.length;
  }
}

export interface RequestOutcome {
  answer: string;
  /** Where details were wanted. */
  finding: Finding | null;
  /** Rows of the batch that it was in. */
  batch: number;
  /** Members asked. */
  members: number;
}

export interface RequestWaiter {
  resolve(outcome: RequestOutcome): void;
  reject(error: unknown): void;
}

export interface QueuedRequest {
  readonly text: string;
  readonly wantsDetail: boolean;
  /** By when its first asker wants the answer, and how long he gave it, ms. */
  deadlineMs: number;
  budgetMs: number;
  /** Whether nobody wants a late answer. */
  isFirm: boolean;
  /** Who asks, and in which session: whose part of the queue it takes. */
  role: string;
  session: object;
  /** Where it is found as long as it waits. */
  part: SessionShare | null;
  lane: WaitingLane | 'speculative' | 'running' | 'dropped';
  /** Who asked; nobody yet for what is read ahead. */
  readonly waiters: RequestWaiter[];
}

/** How a text is asked. */
export type RequestTerms = Pick<
  QueuedRequest,
  'wantsDetail' | 'deadlineMs' | 'budgetMs' | 'isFirm' | 'role' | 'session'
>;

/** Field by field: objects that are put together by spreading cost several times as much, and there is one for each row. */
export function newRequest(text: string, terms: RequestTerms, lane: QueuedRequest['lane']): QueuedRequest {
  const { wantsDetail, deadlineMs, budgetMs, isFirm, role, session } = terms;
  return { text, wantsDetail, deadlineMs, budgetMs, isFirm, role, session, part: null, lane, waiters: [] };
}

export const queueFull = (queued: number): LimitReached =>
  new LimitReached('too many predictions wait for this model', {
    detail: `${queued} are queued`,
    hint: 'Ask again in a moment, with fewer sessions at once.',
  });

/** It is known already that no answer can be there in time. */
export const cannotBeInTime = (budgetMs: number, retryMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction cannot be answered within its latency budget', {
    detail: `More is asked than the server can answer in ${round(budgetMs)} ms.`,
    hint: `Ask again in ${Math.max(1, Math.ceil(retryMs))} ms, raise rafiki.latency_budget, or take late answers: set rafiki.on_overdue = 'answer'.`,
  });

const round = (ms: number): number => Number(ms.toFixed(1));
