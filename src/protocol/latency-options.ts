import { InvalidParameter } from '../errors/errors.ts';
import { parseDurationMs } from './duration.ts';

/** What happens to an answer that is later than the budget. It counts as overdue in each case. */
export type OnOverdue = 'answer' | 'error' | 'null';

export interface LatencyOptions {
  /** Null: the model's budget, or the default if the model has none. */
  budgetMs: number | null;
  onOverdue: OnOverdue;
}

const onOverdueValues: readonly string[] = ['answer', 'error', 'null'] satisfies OnOverdue[];
const isOnOverdue = (value: string): value is OnOverdue => onOverdueValues.includes(value);
const MAX_SETTING_CHARS = 16;

/** Parses the settings rafiki.latency_budget and rafiki.on_overdue. Throws {@link InvalidParameter}. */
export function parseLatencyOptions(budget: string, onOverdue: string): LatencyOptions {
  const chosen = onOverdue === '' ? 'answer' : onOverdue.slice(0, MAX_SETTING_CHARS + 1).toLowerCase();
  if (!isOnOverdue(chosen)) {
    throw new InvalidParameter('rafiki.on_overdue has an unknown value', {
      detail: `got "${onOverdue.slice(0, 100)}"`,
      hint: `Use one of ${onOverdueValues.join(', ')}.`,
    });
  }
  return { budgetMs: budget === '' ? null : parseDurationMs(budget), onOverdue: chosen };
}
