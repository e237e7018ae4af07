import { DeadlineMissed, LimitReached } from '../errors/errors.ts';
import type { Finding } from './ensemble.ts';

/** How many questions of one session wait. */
export interface Part {
  rows: number;
}

export interface Outcome {
  answer: string;
  /** Where details were wanted. */
  finding: Finding | null;
  /** Rows of the batch that it was in. */
  batch: number;
  /** Members asked. */
  members: number;
}

export interface Waiter {
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export interface Question {
  readonly text: string;
  readonly wantsDetail: boolean;
  /** By when its first asker wants the answer, and how long he gave it, ms. */
  deadlineMs: number;
  budgetMs: number;
  /** Whether nobody wants a late answer. */
  isFirm: boolean;
  /** Whose part of the queue it takes. */
  session: object;
  part: Part;
  lane: 'demanded' | 'deferred' | 'speculative' | 'running' | 'dropped';
  /** Who asked; nobody yet for what is read ahead. */
  readonly waiters: Waiter[];
}

/** How a text is asked. */
export type QuestionTerms = Pick<Question, 'wantsDetail' | 'deadlineMs' | 'budgetMs' | 'isFirm' | 'session'>;

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
