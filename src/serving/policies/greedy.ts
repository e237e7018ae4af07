import { dispatched, finishMs, largestFilled, largestOf, mostAccurate, startMs } from './batches.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';

/** δ, the paper's back-off, as a share of τ. */
const BACK_OFF = 0.1;

/**
 * The paper's greedy rule (section 4), with all members synchronously on every batch (section 5): a full largest batch
 * immediately; otherwise the largest size b that the queue fills, and only when c(b) + w(oldest) + δ ≥ τ. Its batches
 * are the largest that keep the budget, but a lone client waits for nearly all of it.
 */
export function greedy(options: PolicyOptions): Policy {
  const { fleet } = options;
  const subset = mostAccurate(fleet);
  const largest = largestOf(fleet);
  return {
    name: 'greedy',
    decide(state): Decision {
      const { queue, nowMs, budgetMs } = state;
      const start = startMs(fleet, state, subset);
      if (start > nowMs) return { kind: 'wait', untilMs: start, rows: Number.POSITIVE_INFINITY };
      const rows = largestFilled(fleet.sizes, queue.length);
      const finish = finishMs(fleet, state, { subset, rows });
      const slackMs = queue.deadlineMs(0) - (finish + BACK_OFF * budgetMs);
      if (queue.length < largest && slackMs > 0) {
        const next = fleet.sizes.find((size) => size > queue.length) ?? largest;
        return { kind: 'wait', untilMs: nowMs + slackMs, rows: next };
      }
      return dispatched(options, state, { subset, rows });
    },
  };
}
