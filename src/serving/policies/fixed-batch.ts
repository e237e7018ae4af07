import { finishMs, lateAt, mostAccurate, startMs } from './batches.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';

/** Share of τ that the first of a batch waits for company. */
const TIME_OUT = 0.25;

/** What serving systems do by default: all members on batches of one size, or on what is there after a time-out. */
export function fixedBatch({ fleet, drops }: PolicyOptions): Policy {
  const subset = mostAccurate(fleet);
  const size = fleet.sizes[fleet.sizes.length - 1] ?? 1;
  return {
    name: 'fixed',
    decide(state): Decision {
      const { queue, nowMs, budgetMs } = state;
      const start = startMs(fleet, state, subset);
      if (start > nowMs) return { kind: 'wait', untilMs: start, rows: Number.POSITIVE_INFINITY };
      const timeOutMs = queue.deadlineMs(0) - (1 - TIME_OUT) * budgetMs;
      if (queue.length < size && timeOutMs > nowMs) return { kind: 'wait', untilMs: timeOutMs, rows: size };
      const rows = Math.min(size, queue.length);
      const late = drops ? lateAt(queue, finishMs(fleet, state, { subset, rows })) : 0;
      const from = late < queue.length ? late : 0;
      return { kind: 'dispatch', subset, from, rows: Math.min(size, queue.length - from) };
    },
  };
}
