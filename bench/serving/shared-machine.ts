import type { Figure } from '../figure.ts';
import { capacityOf, steady } from './deployed.ts';
import type { SeededResults } from './seeded-results.ts';
import { type Load, type ServedRun, serve } from './served.ts';
import type { BudgetedModel } from './served-machine.ts';
import { mean, quantile } from './statistics.ts';
import { figure } from './table.ts';

/** Three models on one machine: two short ones, and one of which every batch takes 20 times as long. */
interface SharedMachine {
  name: string;
  threads: number;
  /** c(b) of a short model, ms. */
  shortMs(rows: number): number;
  shortBudgetMs: number;
  longBudgetMs: number;
  /** Of each model, as a share of what the machine can do for it alone: the short ones, and the long one. */
  loads: readonly [number, number];
}

const LONGER = 20;

/** A short request can wait for a row of the long model; but not on `threads`: one must be free of long batches. */
const machines: readonly SharedMachine[] = [
  { name: 'thread', threads: 1, shortMs: (b) => 1 + b / 2, shortBudgetMs: 200, longBudgetMs: 2000, loads: [0.3, 0.3] },
  {
    name: 'threads',
    threads: 2,
    shortMs: (b) => 4 + b / 2,
    shortBudgetMs: 75,
    longBudgetMs: 2000,
    loads: [0.25, 0.25],
  },
];

/** The long model is asked for more than there is. */
const flooded: SharedMachine = {
  name: 'flooded',
  threads: 2,
  shortMs: (b) => 0.5 + b / 2,
  shortBudgetMs: 50,
  longBudgetMs: 1000,
  loads: [0.1, 1.6],
};

const LENGTH_MS = 60_000;
/** Goodput, as a share of that of each model alone on the machine. */
const KEPT = 0.97;
/** In time of a model that is asked for little. */
const LIGHT = 0.99;
/** The places of the short models. */
const SHORT = [0, 1];

/** Latencies of the short models' requests, and how many of all requests are in time beside each other. */
export async function* sharedMachineFigures(results: SeededResults): AsyncIterable<Figure> {
  for (const machine of machines) {
    const name = `shared-${machine.name}`;
    const { largest, compared } = await results.of(name, async (seed) => {
      const { run, alone } = await runBoth(machine, seed);
      const answered = run.requests.filter(({ load }) => SHORT.includes(load));
      const waits = answered.map(({ arrivedMs, answeredMs }) => (answeredMs ?? Number.POSITIVE_INFINITY) - arrivedMs);
      return [quantile(waits, 0.99) / machine.shortBudgetMs, inTime(run) / alone];
    });
    yield figure(`${name}-p99`, largest, 'of τ', { max: 1 });
    yield figure(`${name}-goodput`, compared, 'of alone', { min: KEPT });
  }
  const light = await results.of('shared-flooded', async (seed) => {
    const { requests, onTime } = await runTogether(flooded, loadsOf(flooded, seed), seed);
    const own = (load: number): number =>
      mean(requests.flatMap((each) => (each.load === load ? [onTime(each) ? 1 : 0] : [])));
    return [Math.min(...SHORT.map(own)), 0];
  });
  yield figure('shared-flooded-light', light.value, 'in time', { min: LIGHT });
}

function modelsOf({ shortMs, shortBudgetMs, longBudgetMs }: SharedMachine): readonly BudgetedModel[] {
  const model = (latencyMs: (rows: number) => number, budgetMs: number): BudgetedModel => ({
    model: { accuracy: [0, 1], latencyMs: (_, rows) => latencyMs(rows) },
    budgetMs,
  });
  const short = model(shortMs, shortBudgetMs);
  return [short, short, model((rows) => LONGER * shortMs(rows), longBudgetMs)];
}

function loadsOf(machine: SharedMachine, seed: number): Load[] {
  const { threads, loads } = machine;
  return modelsOf(machine).map((each, model) => {
    const load = { capacity: capacityOf({ ...each, threads }), budgetMs: each.budgetMs, lengthMs: LENGTH_MS };
    const share = loads[SHORT.includes(model) ? 0 : 1];
    return { arrivals: steady(load, share, 100 * seed + model), role: 'a', model };
  });
}

const runTogether = (machine: SharedMachine, loads: readonly Load[], seed: number): Promise<ServedRun> =>
  serve({
    models: modelsOf(machine),
    threads: machine.threads,
    loads,
    onOverdue: 'answer',
    policy: 'planner',
    noise: 0,
    seed,
  });

/** All together, and how many requests are in time if each model is alone on the machine. */
async function runBoth(machine: SharedMachine, seed: number): Promise<{ run: ServedRun; alone: number }> {
  const loads = loadsOf(machine, seed);
  let alone = 0;
  for (const each of loads) alone += inTime(await runTogether(machine, [each], seed));
  return { run: await runTogether(machine, loads, seed), alone };
}

const inTime = ({ requests, onTime }: ServedRun): number => requests.filter(onTime).length;
