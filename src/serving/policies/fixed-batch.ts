import { dispatched, largestOf, mostAccurate, startMs } from './batches.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';

/** Maximum wait of a batch's first request, as a share of τ. */
const TIME_OUT = 0.25;

/**
 * The usual rule of serving systems: all members on batches of a fixed size, or on the waiting requests after a
 * time-out.
 */
export function fixedBatch(options: PolicyOptions): Policy {
  const { fleet } = options;
  const subset = mostAccurate(fleet);
  const size = largestOf(fleet);
  return {
    name: 'fixed',
    decide(state): Decision {
      const { queue, nowMs, budgetMs } = state;
      const start = startMs(fleet, state, subset);
      if (start > nowMs) return { kind: 'wait', untilMs: start, rows: Number.POSITIVE_INFINITY };
      const timeOutMs = queue.deadlineMs(0) - (1 - TIME_OUT) * budgetMs;
      if (queue.length < size && timeOutMs > nowMs) return { kind: 'wait', untilMs: timeOutMs, rows: size };
      const rows = Math.min(size, queue.length);
      return dispatched(options, state, { subset, rows });
    },
  };
}
