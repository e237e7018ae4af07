import { createRng } from '../../src/runtime/rng.ts';
import { allMembers, stationMs } from '../../src/serving/policies/batches.ts';
import type { Fleet } from '../../src/serving/policies/policy.ts';
import { type ArrivalLoad, type Arrivals, modulated, onOff, sine } from './arrivals.ts';
import { single, three } from './profiles.ts';

/** Models, τ and the throughput r_u that loads are relative to. */
export interface Setting {
  name: string;
  fleet: Fleet;
  budgetMs: number;
  /** Requests a millisecond. */
  capacity: number;
}

const largest = 64;

/** Of all members on every batch, and of each on batches of its own. */
const together = (fleet: Fleet): number =>
  largest /
  Math.max(...fleet.stations.map((station) => stationMs(fleet, station, { subset: allMembers(fleet), rows: largest })));
const apart = (fleet: Fleet): number =>
  fleet.stations
    .map((station) => largest / stationMs(fleet, station, { subset: allMembers(fleet), rows: largest }))
    .reduce((sum, rate) => sum + rate, 0);

export const settings: readonly Setting[] = [
  { name: 'single', fleet: single, budgetMs: 560, capacity: together(single) },
  { name: 'three-128', fleet: three, budgetMs: 1000, capacity: together(three) },
  { name: 'three-572', fleet: three, budgetMs: 1000, capacity: apart(three) },
];

/** Two cycles of the sine. */
const LENGTH = 1000;

/**
 * Arrivals of a mean of about .55 r_u, for 1000 τ. The bursts and on-off loads of the study that the targets come from are not known;
 * these are chosen so that the greedy rule on one model misses as much as there.
 */
const loads: Record<string, (load: ArrivalLoad, seed: number) => Arrivals> = {
  sine: (load, seed) => sine(load, createRng(seed)),
  /** Markov-modulated Poisson: .35 r_u for 40 τ on average, then 1.3 r_u for 9 τ. */
  bursts: (load, seed) =>
    modulated(load, createRng(seed), [
      { rate: 0.35, stay: 40 },
      { rate: 1.3, stay: 9 },
    ]),
  /** 1.35 r_u for 3 τ, nothing for 4 τ. */
  'on-off': (load, seed) => onOff(load, createRng(seed), { on: 3, off: 4, rate: 1.35 }),
  'steady-1.2': (load, seed) => modulated(load, createRng(seed), [{ rate: 1.2, stay: LENGTH }]),
  'steady-1.5': (load, seed) => modulated(load, createRng(seed), [{ rate: 1.5, stay: LENGTH }]),
};

export function arrivalsOf({ budgetMs, capacity }: Setting, load: string, seed: number): Arrivals {
  const make = loads[load];
  if (make === undefined) throw new RangeError(`there is no load "${load}"`);
  return make({ capacity, budgetMs, lengthMs: LENGTH * budgetMs }, seed);
}

/** Whether the sine is above its mean then. */
export const isHighRate = ({ budgetMs }: Setting, ms: number): boolean => (ms / (500 * budgetMs)) % 1 < 0.5;
