import type { Rng } from '../../../src/runtime/rng.ts';
import { allMembers, largestOf, stationMs, throughputOf } from '../../../src/serving/policies/batches.ts';
import { comparedSizes } from '../../../src/serving/policies/latency-model.ts';
import type { Fleet } from '../../../src/serving/policies/policy.ts';
import { type ArrivalLoad, type Arrivals, clusters, modulated, onOff, steps } from '../arrivals.ts';
import { type Setting, settings } from '../workloads.ts';

/** What a policy learns in for a while. */
export interface World {
  /** Of a setting of the paper, or `server`. */
  kind: string;
  fleet: Fleet;
  budgetMs: number;
  arrivals: Arrivals;
  drops: boolean;
}

/** Length of an episode, in τ. */
const LENGTH = 40;

/** Kinds of worlds, and their shares of all decisions. */
export const kinds: Readonly<Record<string, number>> = {
  single: 0.15,
  'three-128': 0.2,
  'three-572': 0.4,
  server: 0.25,
};

/** `mostWaiting`: half of the worlds that serve all begin with requests that came at once, up to what the fleet answers in so many τ. */
export function worldOf(kind: string, rng: Rng, mostWaiting = 0): World {
  const setting = settings.find(({ name }) => name === kind) ?? serverSetting(rng);
  const { fleet, budgetMs, capacity } = setting;
  const drops = kind === 'server' || rng.uniform() < 0.5;
  const arrivals = anyLoad({ capacity, budgetMs, lengthMs: LENGTH * budgetMs }, rng);
  if (drops || mostWaiting === 0 || rng.uniform() < 0.5) return { kind, fleet, budgetMs, drops, arrivals };
  const waiting = Math.floor(rng.uniform() * mostWaiting * budgetMs * throughputOf(fleet));
  return { kind, fleet, budgetMs, drops, arrivals: Float64Array.from([...new Float64Array(waiting), ...arrivals]) };
}

/** Half of them a part of the paper's sine, up to a quarter higher than there; the others of all kinds. */
function anyLoad(load: ArrivalLoad, rng: Rng): Arrivals {
  const between = (low: number, high: number): number => low + (high - low) * rng.uniform();
  switch (rng.below(8)) {
    case 0:
      return modulated(load, rng, [
        { rate: between(0, 0.6), stay: between(5, 40) },
        { rate: between(0.8, 1.6), stay: between(2, 12) },
      ]);
    case 1:
      return onOff(load, rng, { on: between(1, 6), off: between(1, 6), rate: between(0.5, 1.6) });
    case 2:
      return steps(load, rng, [between(0.05, 1.3)]);
    case 3:
      return clusters(load, rng, between(0.1, 0.9));
    default: {
      const [phase, scale] = [rng.uniform(), between(0.75, 1.25)];
      const rates = Array.from({ length: PARTS }, (_, i) => {
        const cycles = phase + (i * LENGTH) / (PARTS * 500);
        return scale * (0.5236 * Math.sin(2 * Math.PI * cycles) + 0.5764);
      });
      return steps(load, rng, rates);
    }
  }
}

/** A part of the sine is so many steps. */
const PARTS = 8;

/** A model as the server has it: one to three members on all of up to four threads. */
function serverSetting(rng: Rng): Setting {
  const between = (low: number, high: number): number => low * (high / low) ** rng.uniform();
  const members = 1 + rng.below(3);
  const budgetMs = 100;
  const [slowestMs, fixedShare] = [between(0.1, 0.8) * budgetMs, between(0.02, 0.6)];
  const speed = [1, between(0.4, 1), between(0.2, 0.8)];
  const best = between(0.6, 0.95);
  const accuracies = [best, best - 0.04 * rng.uniform(), best - 0.08 * rng.uniform()];
  const gain = 0.03 * rng.uniform();
  const fleet: Fleet = {
    members,
    sizes: comparedSizes,
    accuracy: Array.from({ length: 2 ** members }, (_, subset) => {
      const ones = accuracies.filter((_, m) => (subset & (1 << m)) !== 0);
      return ones.length === 0 ? 0 : Math.max(...ones) + (ones.length - 1) * gain;
    }),
    stations: [{ members: 2 ** members - 1, servers: 1 + rng.below(4) }],
    latencyMs: (m, rows) => slowestMs * (speed[m] ?? 1) * (fixedShare + ((1 - fixedShare) * rows) / UNIT_ROWS),
    margin: 1,
  };
  const together = rate(fleet, allMembers(fleet));
  const apart = rate(fleet, 1 << (members - 1));
  return { name: 'server', fleet, budgetMs, capacity: between(Math.min(together, apart), apart) };
}

const UNIT_ROWS = 64;

function rate(fleet: Fleet, subset: number): number {
  const rows = Math.min(UNIT_ROWS, largestOf(fleet));
  return Math.min(
    ...fleet.stations.map((station) => (station.servers * rows) / stationMs(fleet, station, { subset, rows })),
  );
}
