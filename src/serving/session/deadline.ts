import { DeadlineMissed } from '../../errors/errors.ts';
import type { OnOverdue } from '../../protocol/latency-options.ts';
import type { RequestOptions } from '../queue/queued-request.ts';

/** When a started call is late, and what happens then. */
export interface Deadline {
  budgetMs: number;
  startedMs: number;
  onOverdue: OnOverdue;
}

/** What the queue is told of it. */
export const termsOf = ({ budgetMs, startedMs, onOverdue }: Deadline): Pick<RequestOptions, DeadlineTerms> => ({
  deadlineMs: startedMs + budgetMs,
  budgetMs,
  isFirm: onOverdue !== 'answer',
});

type DeadlineTerms = 'deadlineMs' | 'budgetMs' | 'isFirm';

export const overdueError = (budgetMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction is overdue', {
    detail: `no answer after ${budgetMs} ms`,
    hint: `Raise rafiki.latency_budget, or accept late answers: set rafiki.on_overdue = 'answer'.`,
  });
