import { InvalidParameter } from '../errors/errors.ts';
import { parseDurationMs } from './duration.ts';

/** What happens to an answer that comes later than the budget: it counts as overdue in any case. */
export type OnOverdue = 'answer' | 'error' | 'null';

export interface Terms {
  /** Null takes the model's budget, or the default where it has none. */
  budgetMs: number | null;
  onOverdue: OnOverdue;
}

const onOverdueValues: readonly string[] = ['answer', 'error', 'null'] satisfies OnOverdue[];
const isOnOverdue = (value: string): value is OnOverdue => onOverdueValues.includes(value);
const MAX_SETTING_CHARS = 16;

/** What users set as rafiki.latency_budget and rafiki.on_overdue. Throws {@link InvalidParameter}. */
export function parseTerms(budget: string, onOverdue: string): Terms {
  const chosen = onOverdue === '' ? 'answer' : onOverdue.slice(0, MAX_SETTING_CHARS + 1).toLowerCase();
  if (!isOnOverdue(chosen)) {
    throw new InvalidParameter('rafiki.on_overdue has a value that is not known', {
      detail: `got "${onOverdue.slice(0, 100)}"`,
      hint: `Use one of ${onOverdueValues.join(', ')}.`,
    });
  }
  return { budgetMs: budget === '' ? null : parseDurationMs(budget), onOverdue: chosen };
}
