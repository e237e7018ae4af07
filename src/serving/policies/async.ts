import { finishMs, freeAt, lateAt, smallestHolding } from './batches.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';

/** No ensemble: each free member takes a batch of its own, the most accurate member first (paper, section 5). */
export function async({ fleet, drops }: PolicyOptions): Policy {
  const members = Array.from({ length: fleet.members }, (_, m) => ({
    subset: 1 << m,
    station: fleet.stations.findIndex((station) => (station.members & (1 << m)) !== 0),
  })).sort((a, b) => (fleet.accuracy[b.subset] ?? 0) - (fleet.accuracy[a.subset] ?? 0));
  return {
    name: 'async',
    decide(state): Decision {
      const { queue, nowMs } = state;
      for (const { subset, station } of members) {
        if (freeAt(state, station) > nowMs) continue;
        const rows = smallestHolding(fleet.sizes, queue.length);
        const late = drops ? lateAt(queue, finishMs(fleet, state, { subset, rows })) : 0;
        const from = late < queue.length ? late : 0;
        return { kind: 'dispatch', subset, from, rows: Math.min(rows, queue.length - from) };
      }
      return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: queue.length + 1 };
    },
  };
}
