import { createRng } from '../../src/runtime/rng.ts';
import { type ArrivalLoad, type Arrivals, clusters, modulated, onOff, sine, steps } from './arrivals.ts';
import type { BudgetedModel } from './served-machine.ts';

/** A model, τ, and the threads of its machine. */
export interface Deployed extends BudgetedModel {
  name: string;
  threads: number;
}

const line =
  (fixedMs: number, rowMs: number) =>
  (_member: number, rows: number): number =>
    fixedMs + rowMs * rows;

/** Inception-ResNet-v2, Inception-v4 and Inception-v3 as in profiles.ts, on a device four times as quick. */
const c64 = [500, 373, 235];
const paperLine = line(15, 220 / 64);

/** One device each; `threads` has four. */
export const deployed: readonly Deployed[] = [
  // batching pays: the fixed time is that of ten rows
  { name: 'one', model: { accuracy: [0, 1], latencyMs: line(10, 1) }, budgetMs: 100, threads: 1 },
  // a row takes as long in any batch
  { name: 'rows', model: { accuracy: [0, 1], latencyMs: line(0, 20) }, budgetMs: 100, threads: 1 },
  { name: 'threads', model: { accuracy: [0, 1], latencyMs: line(2, 2) }, budgetMs: 50, threads: 4 },
  // the paper's Inception-v3, on a device that pads batches to multiples of 16
  {
    name: 'padded',
    model: { accuracy: [0, 1], latencyMs: (_, rows) => paperLine(0, 16 * Math.ceil(rows / 16)) },
    budgetMs: 560,
    threads: 1,
  },
  {
    name: 'three',
    model: {
      accuracy: [0, 0.804, 0.802, 0.804, 0.78, 0.804, 0.802, 0.8204],
      latencyMs: (member, rows) => (paperLine(member, rows) * (c64[member] ?? 0)) / (4 * 235),
    },
    budgetMs: 560,
    threads: 1,
  },
];

const UNIT_ROWS = 64;

/** The throughput that loads are relative to, requests a millisecond: of batches of 64 of the most accurate subset. */
export function capacityOf({ model: { accuracy, latencyMs }, threads }: Pick<Deployed, 'model' | 'threads'>): number {
  const members = Array.from({ length: Math.log2(accuracy.length) }, (_, m) => m);
  return (threads * UNIT_ROWS) / members.reduce((sum, m) => sum + latencyMs(m, UNIT_ROWS), 0);
}

/** Loads of a step: of the capacity, each for a third of the time. */
export const STEP = [0.3, 1.4, 0.3] as const;

export const deployedLoads: Readonly<Record<string, (load: ArrivalLoad, seed: number) => Arrivals>> = {
  sine: (load, seed) => sine({ ...load, lengthMs: Math.max(load.lengthMs, 500 * load.budgetMs) }, createRng(seed)),
  bursts: (load, seed) =>
    modulated(load, createRng(seed), [
      { rate: 0.35, stay: 40 },
      { rate: 1.3, stay: 9 },
    ]),
  'on-off': (load, seed) => onOff(load, createRng(seed), { on: 3, off: 4, rate: 1.35 }),
  step: (load, seed) => steps(load, createRng(seed), STEP),
  clusters: (load, seed) => clusters(load, createRng(seed), 0.6),
};

/** Poisson arrivals at a constant share of the capacity. */
export const steady = (load: ArrivalLoad, rate: number, seed: number): Arrivals => steps(load, createRng(seed), [rate]);
