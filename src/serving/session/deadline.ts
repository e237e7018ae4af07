import { DeadlineMissed } from '../../errors/errors.ts';
import type { OnOverdue } from '../../protocol/latency-options.ts';

/** When an answer is late: the terms of a call that has begun. */
export interface Deadline {
  budgetMs: number;
  startedMs: number;
  onOverdue: OnOverdue;
}

export const overdueError = (budgetMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction is overdue', {
    detail: `it was not there after ${budgetMs} ms`,
    hint: `Raise rafiki.latency_budget, or take late answers: set rafiki.on_overdue = 'answer'.`,
  });
