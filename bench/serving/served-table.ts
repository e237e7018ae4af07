import type { Figure } from '../figure.ts';
import type { ArrivalLoad, Arrivals } from './arrivals.ts';
import { capacityOf, type Deployed, deployed, deployedLoads, STEP, steady } from './deployed.ts';
import { mostInTime } from './in-time.ts';
import { sharesIfFirst } from './light-first.ts';
import { memoryFigures } from './memory.ts';
import { SeededResults } from './seeded-results.ts';
import { type Load, type ServedRequest, type ServedRun, type ServedSimulation, serve } from './served.ts';
import { sharedMachineFigures } from './shared-machine.ts';
import { mean } from './statistics.ts';
import { figure } from './table.ts';

/** Simulated time of a load, of which the overload is less than late requests wait before they take an eighth. */
const LENGTH_MS = 60_000;
/** Offered loads of `one`, and how much more may be missed than if all arrivals were known. */
const STEADY = { 0.75: 0.001, 0.9: 0.01, 1.1: 0.015, 1.3: 0.015 };
/** In time with late answers, compared with refusing late requests; of light users, compared with coming always first. */
const KEPT = 0.99;
/** Time until late requests are answered, compared with backlog ÷ spare capacity. */
const DRAINED = 1.2;

/** The server's code on a device as it is deployed, under loads of all kinds. */
export async function* servedFigures({ isKept, seeds }: { isKept: boolean; seeds: number }): AsyncIterable<Figure> {
  const results = new SeededResults({ isKept, seeds });
  yield* steadyFigures(results);
  for (const each of deployed) {
    for (const load of Object.keys(deployedLoads)) yield await lateFigure(results, each, load);
    const { largest } = await results.of(`${each.name}-step-drained`, async (seed) => [await drainOf(each, seed), 0]);
    yield figure(`${each.name}-step-drained`, largest, 'of backlog ÷ spare', { max: DRAINED });
  }
  yield* starvationFigures(results);
  for (const each of deployed) yield* flooderFigures(results, each);
  yield* sharedMachineFigures(results);
  yield* memoryFigures(100_000);
}

const onTimeShare = ({ requests, onTime }: ServedRun): number => mean(requests.map((each) => (onTime(each) ? 1 : 0)));

const loadOf = (each: Deployed, lengthMs = LENGTH_MS): ArrivalLoad => ({
  capacity: capacityOf(each),
  budgetMs: each.budgetMs,
  lengthMs,
});

type RunChanges = Partial<ServedSimulation> & { loads: readonly Load[]; seed: number };

const run = (each: Deployed, changes: RunChanges): Promise<ServedRun> =>
  serve({ models: [each], threads: each.threads, onOverdue: 'answer', policy: 'planner', noise: 0, ...changes });

/** What is missed, compared with the least that can be: the best schedule if all arrivals are known. */
async function* steadyFigures(results: SeededResults): AsyncIterable<Figure> {
  const [one] = deployed;
  if (one === undefined) return;
  const limits = { latencyMs: (rows: number) => one.model.latencyMs(0, rows), budgetMs: one.budgetMs, largest: 256 };
  for (const [rate, more] of Object.entries(STEADY)) {
    const name = `one-steady-${rate}-missed`;
    const { value, compared } = await results.of(name, async (seed) => {
      const arrivals = steady(loadOf(one), Number(rate), seed);
      const served = await run(one, { loads: [{ arrivals, role: 'a' }], onOverdue: 'error', seed });
      return [1 - onTimeShare(served), 1 - mostInTime(arrivals, limits) / arrivals.length];
    });
    const note = `at least ${compared.toFixed(4)} if all arrivals are known`;
    yield { ...figure(name, value, 'of all', { max: Number((compared + more).toFixed(4)) }), note };
  }
}

async function lateFigure(results: SeededResults, each: Deployed, load: string): Promise<Figure> {
  const name = `${each.name}-${load}-in-time`;
  const { value, compared } = await results.of(name, async (seed) => {
    const loads = [{ arrivals: deployedLoads[load]?.(loadOf(each), seed) ?? new Float64Array(), role: 'a' }];
    const [answer, error] = [await run(each, { loads, seed }), await run(each, { loads, seed, onOverdue: 'error' })];
    return [onTimeShare(answer), onTimeShare(error)];
  });
  const note = `with error ${compared.toFixed(4)}, ratio ${(value / compared).toFixed(4)}`;
  return { ...figure(name, value, 'of all', { min: Number((KEPT * compared).toFixed(4)) }), note };
}

/** How long the requests that are open at the end of the overload wait for their answers. */
async function drainOf(each: Deployed, seed: number): Promise<number> {
  const arrivals = deployedLoads['step']?.(loadOf(each), seed) ?? new Float64Array();
  const { requests } = await run(each, { loads: [{ arrivals, role: 'a' }], seed });
  const endMs = ((STEP.length - 1) / STEP.length) * LENGTH_MS;
  const isOpen = ({ arrivedMs, answeredMs }: ServedRequest): boolean =>
    arrivedMs < endMs && answeredMs !== null && answeredMs > endMs;
  const open = requests.filter(isOpen);
  const lastMs = open.reduce((last, { answeredMs }) => Math.max(last, answeredMs ?? 0), endMs);
  return (lastMs - endMs) / (open.length / ((1 - STEP[2]) * capacityOf(each)));
}

/** Small batches: they have few rows to give an eighth of. */
const starved: Deployed = {
  name: 'starved',
  model: { accuracy: [0, 1], latencyMs: (_, rows) => 5 + 5 * rows },
  budgetMs: 50,
  threads: 1,
};

const OVERLOAD_MS = 120_000;

/** Twice the capacity for two minutes, then a tenth of it. */
async function* starvationFigures(results: SeededResults): AsyncIterable<Figure> {
  const served = async (seed: number): Promise<ServedRun> => {
    const [over, after] = [2, 0.1].map((rate) => steady(loadOf(starved, OVERLOAD_MS), rate, seed));
    const arrivals = Float64Array.from([...(over ?? []), ...(after ?? []).map((ms) => ms + OVERLOAD_MS)]);
    return run(starved, { loads: [{ arrivals, role: 'a' }], seed });
  };
  const open = await results.of('starved-unanswered', async (seed) => {
    const { requests } = await served(seed);
    return [requests.filter(({ answeredMs, isRefused }) => answeredMs === null && !isRefused).length, 0];
  });
  yield figure('starved-unanswered', open.largest, 'requests', { max: 0 });
  const late = await results.of('starved-late', async (seed) => {
    const { requests, onTime } = await served(seed);
    const during = requests.filter(({ answeredMs }) => answeredMs !== null && answeredMs < OVERLOAD_MS);
    return [mean(during.map((each) => (onTime(each) ? 0 : 1))), 0];
  });
  yield figure('starved-late', late.value, 'of answers', { max: 0.125 });
}

/** Users whose own load is small, beside one who asks for more than there is. */
const LIGHT_USERS = 10;
const LIGHT_RATE = 0.05;
const FLOOD_RATE = 1.6;

async function* flooderFigures(results: SeededResults, each: Deployed): AsyncIterable<Figure> {
  const arrivalsOf = (seed: number): Arrivals[] =>
    [FLOOD_RATE, ...Array.from({ length: LIGHT_USERS }, () => LIGHT_RATE)].map((rate, user) =>
      steady(loadOf(each), rate, 100 * seed + user),
    );
  const rowMs = each.model.latencyMs(0, 1);
  const isByRow = each.threads === 1 && each.model.latencyMs(0, 2) === 2 * rowMs;
  const first = await results.of(`${each.name}-flooder-first`, async (seed) => {
    const [flood = new Float64Array(), ...light] = arrivalsOf(seed);
    return [isByRow ? Math.min(...sharesIfFirst(light, flood, { rowMs, budgetMs: each.budgetMs })) : 1, 0];
  });
  for (const [kind, roleOf] of [
    ['roles', (user: number) => `user ${user}`],
    ['sessions', () => 'one role'],
  ] as const) {
    const name = `${each.name}-flooder-${kind}`;
    const { value, compared } = await results.of(name, async (seed) => {
      const loads = arrivalsOf(seed).map((arrivals, user) => ({ arrivals, role: roleOf(user) }));
      const flooded = leastShare(await run(each, { loads, seed }), 1);
      return [flooded, leastShare(await run(each, { loads: loads.slice(1), seed }), 0)];
    });
    const note = `without the flooder ${compared.toFixed(4)}${isByRow ? `, if they always came first ${first.value.toFixed(4)}, target once .99` : ''}`;
    yield { ...figure(name, value, 'in time', { min: Number((KEPT * first.value).toFixed(4)) }), note };
  }
}

/** Of the light users, who are the loads from `first` on: the share of the one that has the least in time. */
function leastShare({ requests, onTime }: ServedRun, first: number): number {
  const shares = Array.from({ length: LIGHT_USERS }, (_, user) =>
    mean(requests.flatMap((each) => (each.load === first + user ? [onTime(each) ? 1 : 0] : []))),
  );
  return Math.min(...shares);
}
