import { InvalidParameter } from '../errors/errors.ts';
import { parseDurationMs } from './duration.ts';

/** What happens to an answer that is later than the budget. It counts as overdue in each case. */
export type OnOverdue = 'answer' | 'error' | 'null';

export interface LatencyOptions {
  /** Null: the model's budget, or the default if the model has none. */
  budgetMs: number | null;
  onOverdue: OnOverdue;
  /** Of a call that its caller traces, as in W3C Trace Context. */
  traceparent?: string | undefined;
}

const onOverdueValues: readonly string[] = ['answer', 'error', 'null'] satisfies OnOverdue[];
const isOnOverdue = (value: string): value is OnOverdue => onOverdueValues.includes(value);
const MAX_SETTING_CHARS = 16;

/** Between the setting rafiki.on_overdue and a traceparent, in one field of a request. */
export const TRACE_SEPARATOR = '\x1e';

/** Version, trace, span and flags; later versions may have more fields. */
const traceparentFormat = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-|$)/;
export const isTraceparent = (text: string): boolean => traceparentFormat.test(text);

/** Parses two fields of a request: the latency budget, and the rest. Throws {@link InvalidParameter}. */
export function parseTerms(budget: string, rest: string): LatencyOptions {
  const end = rest.indexOf(TRACE_SEPARATOR);
  if (end < 0) return parseLatencyOptions(budget, rest);
  const traceparent = rest.slice(end + 1);
  if (!isTraceparent(traceparent)) {
    throw new InvalidParameter('rafiki.traceparent is not a traceparent', {
      detail: `got "${traceparent.slice(0, 100)}"`,
      hint: 'Set it as W3C Trace Context has it, 00-<32 digits>-<16 digits>-01; or: reset rafiki.traceparent;',
    });
  }
  return { ...parseLatencyOptions(budget, rest.slice(0, end)), traceparent };
}

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
