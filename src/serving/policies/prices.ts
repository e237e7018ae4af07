import { solve } from 'yalps';
import { stationMs, usefulSubsets } from './batches.ts';
import type { Fleet } from './policy.ts';

/** Prices of resources at one arrival rate, in accuracy. */
export interface Prices {
  /** Of one server's millisecond, by station. */
  readonly stations: readonly number[];
  /** Of one more request. */
  readonly request: number;
}

/** A batch that takes more than this share of τ leaves no time to wait; it does not count for the throughput. */
const LONGEST_BATCH = 0.5;

/**
 * The dual of: choose how many requests a millisecond x_v each subset v answers, in full batches of B rows,
 *   max Σ a_v x_v   subject to   Σ_v x_v ≤ λ   and, at each station s,   Σ_v x_v c_s(v, B) / B ≤ servers_s,
 * that is min λ μ + Σ servers_s p_s subject to μ + Σ_s p_s c_s(v, B) / B ≥ a_v for each v.
 * Subsets that are not useful bind nothing.
 */
export function pricesAt(fleet: Fleet, rate: number, budgetMs: number): Prices {
  const rows = throughputRows(fleet, budgetMs);
  const constraints: Record<string, { min: number }> = {};
  const variables: Record<string, Record<string, number>> = { request: { cost: rate } };
  fleet.stations.forEach(({ servers }, s) => {
    variables[`s${s}`] = { cost: servers };
  });
  for (const subset of usefulSubsets(fleet)) {
    constraints[`v${subset}`] = { min: fleet.accuracy[subset] ?? 0 };
    variables['request']![`v${subset}`] = 1;
    fleet.stations.forEach((station, s) => {
      variables[`s${s}`]![`v${subset}`] = stationMs(fleet, station, { subset, rows }) / rows;
    });
  }
  const { variables: solution } = solve({ direction: 'minimize', objective: 'cost', constraints, variables });
  const found = new Map(solution);
  return { stations: fleet.stations.map((_, s) => found.get(`s${s}`) ?? 0), request: found.get('request') ?? 0 };
}

function throughputRows(fleet: Fleet, budgetMs: number): number {
  const [smallest = 1, ...larger] = fleet.sizes;
  let rows = smallest;
  for (const size of larger) {
    const short = Array.from({ length: fleet.members }, (_, m) => fleet.latencyMs(m, size) <= LONGEST_BATCH * budgetMs);
    if (short.some(Boolean)) rows = size;
  }
  return rows;
}

/**
 * Prices are computed for this many rates per doubling of the rate; other rates use the nearest. Finer steps follow the
 * noise of the rate: three models on the sine reached .9965 of the bound with 4 steps, .9954 with 16.
 */
const STEPS_PER_DOUBLING = 4;
/** Service times drift: prices are recomputed after this many requests. */
const REFRESH_AFTER = 1024;

/** Prices by rate, computed on demand. */
export class PriceList {
  readonly #fleet: Fleet;
  readonly #known = new Map<string, Prices>();
  #asked = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  at(rate: number, budgetMs: number): Prices {
    if (++this.#asked % REFRESH_AFTER === 0) this.#known.clear();
    const step = Math.round(STEPS_PER_DOUBLING * Math.log2(Math.max(rate, Number.MIN_VALUE)));
    const key = `${step} ${throughputRows(this.#fleet, budgetMs)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const prices = pricesAt(this.#fleet, 2 ** (step / STEPS_PER_DOUBLING), budgetMs);
    this.#known.set(key, prices);
    return prices;
  }
}
