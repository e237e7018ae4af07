import { largestFilled, type Policy } from './policy.ts';

/** δ, the paper's back-off, as a share of τ. */
const BACK_OFF = 0.1;

/**
 * The paper's greedy rule (section 4): a full largest batch at once; otherwise the largest size b that the queue fills,
 * and only when c(b) + w(oldest) + δ ≥ τ. It gives the largest batches that keep the budget, and makes a lone client wait
 * for nearly all of it.
 */
export const greedy: Policy = {
  name: 'greedy',
  decide({ queued, waitedMs, budgetMs, sizes, latencyMs }) {
    const largest = sizes[sizes.length - 1] ?? 1;
    if (queued >= largest) return { kind: 'dispatch', rows: largest };
    const rows = largestFilled(sizes, queued);
    const slackMs = budgetMs - (latencyMs(rows) + waitedMs + BACK_OFF * budgetMs);
    return slackMs <= 0 ? { kind: 'dispatch', rows } : { kind: 'wait', ms: slackMs };
  },
};
