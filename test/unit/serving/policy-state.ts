import type { Fleet, PolicyState } from '../../../src/serving/policies/policy.ts';

/** One member that takes 2 ms a batch and 0.05 ms a row. */
export const oneMember: Fleet = {
  members: 1,
  sizes: [1, 4, 16, 64, 256],
  accuracy: [0, 0.9],
  stations: [{ members: 1, servers: 1 }],
  latencyMs: (_, rows) => 2 + 0.05 * rows,
  margin: 1,
};

/** Three members on devices of their own, the slowest the best; all three are better than any, a pair is as its better one. */
export const threeMembers: Fleet = {
  members: 3,
  sizes: [4, 16, 64],
  accuracy: [0, 0.8, 0.78, 0.8, 0.75, 0.8, 0.78, 0.83],
  stations: [
    { members: 1, servers: 1 },
    { members: 2, servers: 1 },
    { members: 4, servers: 1 },
  ],
  latencyMs: (member, rows) => (3 - member) * (2 + 0.05 * rows),
  margin: 1,
};

/** `queued` wait, of whom each has `leftMs` left of 50; every station is free. */
export function stateOf(
  fleet: Fleet,
  { queued, leftMs = 50, ...changes }: { queued: number; leftMs?: number } & Partial<PolicyState>,
): PolicyState {
  return {
    nowMs: 1000,
    queue: { length: queued, deadlineMs: () => 1000 + leftMs },
    budgetMs: 50,
    freeMs: fleet.stations.map(({ servers }) => new Array<number>(servers).fill(0)),
    rate: 0.1,
    ...changes,
  };
}
