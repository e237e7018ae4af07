import { DeadlineMissed } from '../../errors/errors.ts';
import type { LatencyOptions, OnOverdue } from '../../protocol/latency-options.ts';
import type { TracedCall } from '../../tracing/traced-call.ts';
import type { RequestOptions } from '../queue/queued-request.ts';

/** How a call wants to be answered. */
export interface TracedTerms extends LatencyOptions {
  trace?: TracedCall | undefined;
}

/** When a started call is late, and what happens then. */
export interface Deadline {
  budgetMs: number;
  startedMs: number;
  onOverdue: OnOverdue;
  trace?: TracedCall | undefined;
}

/** What the queue is told of it. */
export const termsOf = ({ budgetMs, startedMs, onOverdue, trace }: Deadline): Pick<RequestOptions, DeadlineTerms> => ({
  deadlineMs: startedMs + budgetMs,
  budgetMs,
  isFirm: onOverdue !== 'answer',
  trace,
});

type DeadlineTerms = 'deadlineMs' | 'budgetMs' | 'isFirm' | 'trace';

export const overdueError = (budgetMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction is overdue', {
    detail: `no answer after ${budgetMs} ms`,
    hint: `Raise rafiki.latency_budget, or accept late answers: set rafiki.on_overdue = 'answer'.`,
  });
