import { createRng } from '../../src/runtime/rng.ts';
import { alreadyLate } from '../../src/serving/policies/batches.ts';
import type { PolicyState } from '../../src/serving/policies/policy.ts';
import { policies } from '../../src/serving/policies/registry.ts';
import { three } from './profiles.ts';
import { quantile } from './statistics.ts';

const QUEUED = 10_000;
const BUDGET_MS = 1000;

/** CPU milliseconds of a decision of the default policy, p99: three models, 10,000 queued, free times and rates of all kinds. */
export function decisionMs(decisions: number): number {
  const rng = createRng(1);
  const policy = policies[0]?.create({ fleet: three, seed: 1 });
  const times: number[] = [];
  for (let i = 0; i < decisions; i++) {
    const state = anyState(rng.uniform, i * BUDGET_MS);
    const started = process.cpuUsage();
    alreadyLate(three, state);
    policy?.decide(state);
    const { user, system } = process.cpuUsage(started);
    times.push((user + system) / 1000);
  }
  return quantile(times.slice(decisions >> 1), 0.99); // the first half runs code that is not compiled yet
}

function anyState(uniform: () => number, nowMs: number): PolicyState {
  const deadlines = Float64Array.from({ length: QUEUED }, () => nowMs + BUDGET_MS * uniform()).sort();
  const queue = { length: QUEUED, deadlineMs: (place: number) => deadlines[place] ?? Number.POSITIVE_INFINITY };
  const freeMs = three.stations.map(() => [nowMs + Math.max(0, 500 * (uniform() - 0.5))]);
  freeMs[Math.floor(3 * uniform())] = [nowMs];
  return { nowMs, queue, budgetMs: BUDGET_MS, freeMs, rate: 0.05 + uniform() };
}
