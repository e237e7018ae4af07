import { dispatched, largestOf, mostAccurate, startMs } from './batches.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';

const MORE_ROWS = 1;
const LESS = 0.9;

/**
 * Clipper's rule (Crankshaw et al. 2017): work-conserving batches of all members. The maximum size grows by one row
 * with each full batch in time, and shrinks by a tenth with each late batch.
 */
export function aimd(options: PolicyOptions): Policy {
  const { fleet } = options;
  const subset = mostAccurate(fleet);
  const largest = largestOf(fleet);
  let size = fleet.sizes[0] ?? 1;
  return {
    name: 'aimd',
    decide(state): Decision {
      const { queue, nowMs } = state;
      const start = startMs(fleet, state, subset);
      if (start > nowMs) return { kind: 'wait', untilMs: start, rows: Number.POSITIVE_INFINITY };
      const rows = Math.min(Math.floor(size), queue.length);
      return dispatched(options, state, { subset, rows });
    },
    observe({ rows, overdue }) {
      if (overdue > 0) size = Math.max(1, size * LESS);
      else if (rows >= Math.floor(size)) size = Math.min(largest, size + MORE_ROWS);
    },
  };
}
