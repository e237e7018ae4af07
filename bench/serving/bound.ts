import { createRequire } from 'node:module';
import { allMembers, stationMs } from '../../src/serving/policies/batches.ts';
import type { Fleet, Subset } from '../../src/serving/policies/policy.ts';
import type { Arrivals } from './arrivals.ts';

/** Its types describe the CommonJS build, which therefore is the one to load. */
const highs: typeof import('highs', { with: { 'resolution-mode': 'require' }}) = createRequire(import.meta.url)(
  'highs',
);

export interface Bound {
  /** Upper bound of the reward. */
  reward: number;
  /** Share of requests that are then refused. */
  missed: number;
}

/** Intervals that τ is cut into. */
const BINS_PER_BUDGET = 4;

/**
 * The maximum reward if all arrivals are known, requests may be refused, and are served like a fluid, at the throughput of the
 * largest batch. By intervals j of τ / 4, with d_j accepted of the n_j that arrive and y_vj answered by subset v:
 *   max Σ a_v y_vj   subject to   Σ_v y_vj c_s(v, B) / B ≤ servers_s τ / 4 at each station s,   d_j ≤ n_j,
 *   D_(j−4) ≤ Y_j ≤ D_j   where Y and D are the sums so far: no request is answered before its arrival, nor after its deadline.
 */
export async function bound(fleet: Fleet, arrivals: Arrivals, budgetMs: number): Promise<Bound> {
  const binMs = budgetMs / BINS_PER_BUDGET;
  const counts = new Array<number>(Math.ceil((arrivals.at(-1) ?? 0) / binMs) + BINS_PER_BUDGET + 1).fill(0);
  for (const ms of arrivals) counts[Math.floor(ms / binMs)]! += 1;
  const solver = await highs.default();
  const solution = solver.solve(program(fleet, counts, binMs));
  if (solution.Status !== 'Optimal') throw new Error(`the bound has no solution: ${solution.Status}`);
  const accepted = solution.Columns[`D_${counts.length - 1}`]?.Primal ?? 0;
  return { reward: solution.ObjectiveValue, missed: 1 - accepted / arrivals.length };
}

/** In the LP format of CPLEX. */
function program(fleet: Fleet, counts: readonly number[], binMs: number): string {
  const subsets = undominated(fleet);
  const sum = (j: number, factor: (subset: Subset) => number): string =>
    subsets
      .filter((subset) => factor(subset) !== 0)
      .map((subset) => `${factor(subset) < 0 ? '-' : '+'} ${Math.abs(factor(subset))} y${subset}_${j}`)
      .join(' ');
  const before = (name: string, j: number): string => (j > 0 ? `- ${name}_${j - 1}` : '');
  const constraints = counts.flatMap((_, j) => [
    ...fleet.stations.map(({ servers }, s) => `${sum(j, (subset) => rowMs(fleet, subset, s))} <= ${servers * binMs}`),
    `Y_${j} ${before('Y', j)} ${sum(j, () => -1)} = 0`,
    `D_${j} ${before('D', j)} - d_${j} = 0`,
    `Y_${j} - D_${j} <= 0`,
    ...(j >= BINS_PER_BUDGET ? [`Y_${j} - D_${j - BINS_PER_BUDGET} >= 0`] : []),
  ]);
  return [
    'Maximize',
    ...counts.map((_, j) => sum(j, (subset) => fleet.accuracy[subset] ?? 0)),
    'Subject To',
    ...constraints,
    'Bounds',
    ...counts.map((count, j) => `d_${j} <= ${count}`),
    'End',
  ].join('\n');
}

/** Subsets that no other one dominates in accuracy and time. */
function undominated(fleet: Fleet): Subset[] {
  const all = Array.from({ length: allMembers(fleet) }, (_, i) => i + 1);
  const beats = (one: Subset, other: Subset): boolean =>
    one !== other &&
    (fleet.accuracy[one] ?? 0) >= (fleet.accuracy[other] ?? 0) &&
    fleet.stations.every((_, s) => rowMs(fleet, one, s) <= rowMs(fleet, other, s));
  return all.filter((subset) => !all.some((other) => beats(other, subset)));
}

function rowMs(fleet: Fleet, subset: Subset, s: number): number {
  const rows = fleet.sizes[fleet.sizes.length - 1] ?? 1;
  const station = fleet.stations[s];
  return station === undefined ? 0 : stationMs(fleet, station, { subset, rows }) / rows;
}
