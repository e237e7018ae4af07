import type { Figure } from '../figure.ts';
import type { ArrivalLoad } from './arrivals.ts';
import { capacityOf, steady } from './deployed.ts';
import type { SeededResults } from './seeded-results.ts';
import { serve } from './served.ts';
import type { BudgetedModel } from './served-machine.ts';
import { quantile } from './statistics.ts';
import { figure } from './table.ts';

/** Three models on one machine, the last of which takes 20 times as long as the others for every batch. */
interface SharedMachine {
  name: string;
  threads: number;
  /** c(b) of a short model, ms. */
  shortMs(rows: number): number;
  shortBudgetMs: number;
  longBudgetMs: number;
  /** Of each model, as a share of what the machine can do for it alone. */
  load: number;
}

const LONGER = 20;

const machines: readonly SharedMachine[] = [
  // a short request can wait for one row of the long model
  { name: 'thread', threads: 1, shortMs: (b) => 2 + b / 2, shortBudgetMs: 200, longBudgetMs: 2000, load: 0.3 },
  // it cannot: one thread must be free of long batches, and the short models together need less than one
  { name: 'threads', threads: 2, shortMs: (b) => 4 + b / 2, shortBudgetMs: 75, longBudgetMs: 2000, load: 0.2 },
];

const LENGTH_MS = 60_000;
/** Goodput, as a share of that of each model alone on such a machine. */
const KEPT = 0.97;

function modelsOf({ shortMs, shortBudgetMs, longBudgetMs }: SharedMachine): readonly BudgetedModel[] {
  const short = {
    model: { accuracy: [0, 1], latencyMs: (_: number, b: number) => shortMs(b) },
    budgetMs: shortBudgetMs,
  };
  const latencyMs = (_: number, rows: number): number => LONGER * shortMs(rows);
  return [short, short, { model: { accuracy: [0, 1], latencyMs }, budgetMs: longBudgetMs }];
}

/** Latencies of the short models' requests, and how many requests of all models are in time beside each other. */
export async function* sharedMachineFigures(results: SeededResults): AsyncIterable<Figure> {
  for (const machine of machines) {
    const name = `${machine.name}-shared`;
    const p99 = await results.of(`${name}-p99`, async (seed) => [(await shared(machine, seed)).p99, 0]);
    yield figure(`${name}-p99`, p99.largest, 'of τ', { max: 1 });
    const kept = await results.of(`${name}-goodput`, async (seed) => {
      const { inTime, alone } = await shared(machine, seed);
      return [inTime / alone, 0];
    });
    yield figure(`${name}-goodput`, kept.value, 'of alone', { min: KEPT });
  }
}

async function shared(machine: SharedMachine, seed: number): Promise<{ p99: number; inTime: number; alone: number }> {
  const { threads, shortBudgetMs, load } = machine;
  const models = modelsOf(machine);
  const terms = { threads, onOverdue: 'answer', policy: 'planner', noise: 0, seed } as const;
  const loads = models.map((each, model) => {
    const arrivalLoad: ArrivalLoad = {
      capacity: capacityOf({ ...each, threads }),
      budgetMs: each.budgetMs,
      lengthMs: LENGTH_MS,
    };
    return { arrivals: steady(arrivalLoad, load, 100 * seed + model), role: 'a', model };
  });
  const together = await serve({ ...terms, models, loads });
  const waits = together.requests
    .filter((request) => request.load < models.length - 1)
    .map(({ arrivedMs, answeredMs }) => (answeredMs ?? Number.POSITIVE_INFINITY) - arrivedMs);
  let alone = 0;
  for (const each of loads) {
    const { requests, onTime } = await serve({ ...terms, models, loads: [each] });
    alone += requests.filter(onTime).length;
  }
  return {
    p99: quantile(waits, 0.99) / shortBudgetMs,
    inTime: together.requests.filter(together.onTime).length,
    alone,
  };
}
