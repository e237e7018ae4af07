import { dispatched, freeAt, largestOf } from '../../src/serving/policies/batches.ts';
import type { Decision, Policy, PolicyOptions } from '../../src/serving/policies/policy.ts';

/**
 * No ensemble: each free member takes a batch of its own, the most accurate member first (paper, section 5). It needs one device per
 * member: if one station holds all members, as the threads of a server do, the most accurate member would answer everything.
 */
export function async(options: PolicyOptions): Policy {
  const { fleet } = options;
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
        const rows = Math.min(largestOf(fleet), queue.length);
        return dispatched(options, state, { subset, rows });
      }
      return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: queue.length + 1 };
    },
  };
}
