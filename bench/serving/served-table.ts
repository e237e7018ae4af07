import type { Figure } from '../figure.ts';
import { capacityOf, type Deployed, deployed, deployedLoads, STEP, steady } from './deployed.ts';
import { mostInTime } from './in-time.ts';
import { memoryFigures } from './memory.ts';
import { type Load, type ServedRequest, type ServedRun, type ServedSimulation, serve } from './served.ts';
import { mean } from './statistics.ts';
import { figure } from './table.ts';

/** Simulated time of a load, of which the overload is less than late requests wait before they take an eighth. */
const LENGTH_MS = 60_000;
/** Offered loads of `one`, and how much more may be missed than if all arrivals were known. */
const STEADY = { 0.75: 0.001, 0.9: 0.01, 1.1: 0.015, 1.3: 0.015 };
/** On time with late answers, compared with refusing late requests. */
const KEPT = 0.99;
/** Time until late requests are answered, compared with backlog ÷ spare capacity. */
const DRAINED = 1.2;

/** The server's code on a device as it is deployed, under loads of all kinds. */
export async function* servedFigures(seeds: number): AsyncIterable<Figure> {
  yield* steadyFigures(seeds);
  for (const each of deployed) {
    for (const load of Object.keys(deployedLoads)) yield* lateFigures(each, load, seeds);
  }
  yield* starvationFigures(seeds);
  yield* flooderFigures(seeds);
  yield* memoryFigures(seeds > 1 ? 1_000_000 : 100_000);
}

const onTimeShare = ({ requests, onTime }: ServedRun): number => mean(requests.map((each) => (onTime(each) ? 1 : 0)));

const loadOf = ({ model, budgetMs }: Deployed, lengthMs: number) => ({
  capacity: capacityOf(model),
  budgetMs,
  lengthMs,
});

type Run = Partial<ServedSimulation> & { loads: readonly Load[]; seed: number };

const run = ({ model, budgetMs }: Deployed, changes: Run): Promise<ServedRun> =>
  serve({ model, budgetMs, onOverdue: 'answer', policy: 'planner', noise: 0, ...changes });

const seedsUpTo = (seeds: number): number[] => Array.from({ length: seeds }, (_, i) => i + 1);

/** What is missed, compared with the least that can be: the best schedule if all arrivals are known. */
async function* steadyFigures(seeds: number): AsyncIterable<Figure> {
  const [one] = deployed;
  if (one === undefined) return;
  const latencyMs = (rows: number): number => one.model.latencyMs(0, rows);
  for (const [rate, more] of Object.entries(STEADY)) {
    const missed: number[] = [];
    const least: number[] = [];
    for (const seed of seedsUpTo(seeds)) {
      const arrivals = steady(loadOf(one, LENGTH_MS), Number(rate), seed);
      const served = await run(one, { loads: [{ arrivals, role: 'a' }], onOverdue: 'error', seed });
      missed.push(1 - onTimeShare(served));
      const most = mostInTime(arrivals, { latencyMs, budgetMs: one.budgetMs, largest: 256 });
      least.push(1 - most / arrivals.length);
    }
    const note = `at least ${mean(least).toFixed(4)} if all arrivals are known`;
    yield {
      ...figure(`one-steady-${rate}-missed`, mean(missed), 'of all', { max: Number((mean(least) + more).toFixed(4)) }),
      note,
    };
  }
}

async function* lateFigures(each: Deployed, load: string, seeds: number): AsyncIterable<Figure> {
  const shares = { answer: [] as number[], error: [] as number[] };
  const drained: number[] = [];
  const answered: number[] = [];
  for (const seed of seedsUpTo(seeds)) {
    const arrivals = deployedLoads[load]?.(loadOf(each, LENGTH_MS), seed) ?? new Float64Array();
    for (const onOverdue of ['answer', 'error'] as const) {
      const served = await run(each, { loads: [{ arrivals, role: 'a' }], onOverdue, seed });
      shares[onOverdue].push(onTimeShare(served));
      if (onOverdue === 'error') continue;
      answered.push(mean(served.requests.map(({ answeredMs }) => (answeredMs === null ? 0 : 1))));
      if (load === 'step') drained.push(drainOf(each, served.requests));
    }
  }
  const name = `${each.name}-${load}`;
  const [value, peerValue] = [mean(shares.answer), mean(shares.error)];
  const ratio = value / peerValue;
  const peer = { peer: 'on_overdue = error', peerValue, ratio, bar: KEPT, ok: ratio >= KEPT };
  const note = `with error ${peerValue.toFixed(4)}, ratio ${ratio.toFixed(4)}; answered at all ${mean(answered).toFixed(4)}`;
  yield { bench: 'serving', name: `${name}-in-time`, value, unit: 'of all', ...peer, note };
  if (load === 'step') yield figure(`${name}-drained`, Math.max(...drained), 'of backlog ÷ spare', { max: DRAINED });
}

/** How long the requests that are open at the end of the overload wait for their answers. */
function drainOf({ model }: Deployed, requests: readonly ServedRequest[]): number {
  const endMs = ((STEP.length - 1) / STEP.length) * LENGTH_MS;
  const open = requests.filter(
    ({ arrivedMs, answeredMs }) => arrivedMs < endMs && answeredMs !== null && answeredMs > endMs,
  );
  const lastMs = open.reduce((last, { answeredMs }) => Math.max(last, answeredMs ?? 0), endMs);
  return (lastMs - endMs) / (open.length / ((1 - STEP[2]) * capacityOf(model)));
}

/** Small batches: they have few rows to give an eighth of. */
const starved: Deployed = {
  name: 'starved',
  model: { accuracy: [0, 1], threads: 1, latencyMs: (_, rows) => 5 + 5 * rows },
  budgetMs: 50,
};

async function* starvationFigures(seeds: number): AsyncIterable<Figure> {
  const unanswered: number[] = [];
  const lateShare: number[] = [];
  for (const seed of seedsUpTo(seeds)) {
    const overloadMs = 120_000;
    const load = loadOf(starved, overloadMs);
    const over = steady(load, 2, seed);
    const after = steady(load, 0.1, seed).map((ms) => ms + overloadMs);
    const served = await run(starved, { loads: [over, after].map((arrivals) => ({ arrivals, role: 'a' })), seed });
    const answers = served.requests.filter(({ answeredMs }) => answeredMs !== null && answeredMs < overloadMs);
    lateShare.push(mean(answers.map((each) => (served.onTime(each) ? 0 : 1))));
    const open = served.requests.filter(({ answeredMs, isRefused }) => answeredMs === null && !isRefused);
    unanswered.push(open.length);
  }
  yield figure('starved-unanswered', Math.max(...unanswered), 'requests', { max: 0 });
  const note = 'twice the capacity for two minutes';
  yield { ...figure('starved-late-share', mean(lateShare), 'of answers', { max: 0.125 }), note };
}

/** Users whose own load is small, beside one who asks for more than there is. */
const LIGHT_USERS = 10;
const LIGHT_RATE = 0.05;
const FLOOD_RATE = 1.6;

async function* flooderFigures(seeds: number): AsyncIterable<Figure> {
  for (const each of deployed) {
    for (const [name, roleOf] of [
      ['roles', (user: number) => `user ${user}`],
      ['sessions', (user: number) => (user === LIGHT_USERS ? 'another role' : 'one role')],
    ] as const) {
      const least = { flooded: [] as number[], alone: [] as number[] };
      for (const seed of seedsUpTo(seeds)) {
        const rates = [FLOOD_RATE, ...Array.from({ length: LIGHT_USERS }, () => LIGHT_RATE)];
        const loads = rates.map((rate, user) => ({
          arrivals: steady(loadOf(each, LENGTH_MS), rate, 100 * seed + user),
          role: roleOf(user),
        }));
        least.flooded.push(leastShare(await run(each, { loads, seed }), 1));
        least.alone.push(leastShare(await run(each, { loads: loads.slice(1), seed }), 0));
      }
      const note = `without the flooder ${mean(least.alone).toFixed(4)}`;
      yield { ...figure(`${each.name}-flooder-${name}`, mean(least.flooded), 'in time', { min: KEPT }), note };
    }
  }
}

/** Of the light users, who are the loads from `first` on: the share of the one that has the least in time. */
function leastShare({ requests, onTime }: ServedRun, first: number): number {
  const shares = Array.from({ length: LIGHT_USERS }, (_, user) =>
    mean(requests.flatMap((each) => (each.load === first + user ? [onTime(each) ? 1 : 0] : []))),
  );
  return Math.min(...shares);
}
