import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ArrivalLoad, clusters, steps } from '../../../bench/serving/arrivals.ts';
import { capacityOf, steady } from '../../../bench/serving/deployed.ts';
import { mostInTime } from '../../../bench/serving/in-time.ts';
import { sharesIfFirst } from '../../../bench/serving/light-first.ts';
import { simulatedPolicy } from '../../../bench/serving/policies.ts';
import { type ServedRun, type ServedSimulation, serve } from '../../../bench/serving/served.ts';
import type { DeployedModel } from '../../../bench/serving/simulated-threads.ts';
import { simulate } from '../../../bench/serving/simulator.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { comparedSizes } from '../../../src/serving/policies/latency-model.ts';
import { PATIENCE_MS } from '../../../src/serving/queue/limits.ts';

/** Batching pays: the fixed time is that of ten rows. */
const one: DeployedModel = { accuracy: [0, 1], latencyMs: (_, rows) => 10 + rows };
const budgetMs = 100;

const run = (changes: Partial<ServedSimulation>): Promise<ServedRun> =>
  serve({
    models: [{ model: one, budgetMs }],
    threads: 1,
    loads: [],
    onOverdue: 'answer',
    policy: 'planner',
    noise: 0,
    seed: 1,
    ...changes,
  });

const loadFor = (model: DeployedModel, seconds: number): ArrivalLoad => ({
  capacity: capacityOf({ model, threads: 1 }),
  budgetMs,
  lengthMs: 1000 * seconds,
});

const shareOf = <T>(all: readonly T[], isSo: (each: T) => boolean): number => all.filter(isSo).length / all.length;

describe('the server on simulated time', () => {
  it('gives the same result for the same seed, with noise as well', async () => {
    const loads = [{ arrivals: steady(loadFor(one, 5), 1.1, 1), role: 'a' }];
    const noisy = () => run({ loads, noise: 0.1 });
    expect((await noisy()).requests).toEqual((await noisy()).requests);
  });

  it.each(['planner', 'price', 'eager'])(
    "under %s runs the same batches as the simulator of the paper's topology, where both have one device",
    async (policy) => {
      const arrivals = steady(loadFor(one, 10), 1.1, 1);
      const fleet = { ...one, members: 1, sizes: comparedSizes, stations: [{ members: 1, servers: 1 }], margin: 1 };
      const simulated = simulate({
        ...{ fleet, budgetMs, arrivals, drops: true, noise: 0, rng: createRng(1) },
        policy: (known) => simulatedPolicy(policy).create({ fleet: known, seed: 1 }),
      });
      const served = await run({ loads: [{ arrivals, role: 'a' }], onOverdue: 'error', policy });
      expect(served.batches).toBe(simulated.batches);
      expect(served.requests.filter(served.onTime)).toHaveLength(simulated.reward);
    },
  );

  it('answers with batches of any size: at nine tenths of the capacity nearly all are in time', async () => {
    const arrivals = steady(loadFor(one, 20), 0.9, 1);
    const { requests, onTime } = await run({ loads: [{ arrivals, role: 'a' }], onOverdue: 'error' });
    // with batches judged as 1, 4, 16 or 64 rows a fifth was refused
    expect(shareOf(requests, onTime)).toBeGreaterThan(0.97);
  });

  it('answers late requests at nearly no cost to others, and all of them soon after an overload', async () => {
    const load = loadFor(one, 30);
    const arrivals = steps(load, createRng(1), [0.3, 1.4, 0.3]);
    const loads = [{ arrivals, role: 'a' }];
    const { requests, onTime } = await run({ loads });
    const refusing = await run({ loads, onOverdue: 'error' });
    expect(shareOf(requests, onTime)).toBeGreaterThan(0.99 * shareOf(refusing.requests, refusing.onTime));
    const open = requests.filter(({ arrivedMs, answeredMs }) => arrivedMs < 20_000 && (answeredMs ?? 0) > 20_000);
    const drainedMs = Math.max(...open.map(({ answeredMs }) => answeredMs ?? 0)) - 20_000;
    expect(requests.every(({ answeredMs }) => answeredMs !== null)).toBe(true);
    expect(drainedMs).toBeLessThan((1.2 * open.length) / (0.7 * load.capacity));
  });

  it.each([
    ['one role', 0],
    ['two roles', 0.1],
  ])('under lasting overload of %s gives late requests an eighth, though batches have few rows', async (_, other) => {
    const small: DeployedModel = { ...one, latencyMs: (_, rows) => 5 + 5 * rows };
    const overloadMs = PATIENCE_MS + 30_000;
    const loads = [2, other].map((rate, i) => ({
      arrivals: steady(
        { capacity: capacityOf({ model: small, threads: 1 }), budgetMs: 50, lengthMs: overloadMs },
        rate,
        i + 1,
      ),
      role: `role ${i}`,
    }));
    const { requests, onTime } = await run({ models: [{ model: small, budgetMs: 50 }], loads });
    const during = requests.filter(
      ({ answeredMs }) => answeredMs !== null && answeredMs > PATIENCE_MS + 1000 && answeredMs < overloadMs,
    );
    const late = shareOf(during, (each) => !onTime(each));
    expect(late).toBeGreaterThan(0.1);
    expect(late).toBeLessThanOrEqual(0.126);
    // where overload ends, everybody has an answer
    expect(requests.every(({ answeredMs, isRefused }) => answeredMs !== null || isRefused)).toBe(true);
  });

  it('answers ten users of little in time beside one who asks for more than there is', async () => {
    const load = loadFor(one, 10);
    const rates = [1.6, ...new Array<number>(10).fill(0.05)];
    const loads = rates.map((rate, user) => ({ arrivals: steady(load, rate, user + 1), role: `user ${user}` }));
    const { requests, onTime } = await run({ loads });
    for (let user = 1; user <= 10; user++) {
      const own = requests.filter((each) => each.load === user);
      expect(shareOf(own, onTime)).toBeGreaterThan(0.99);
    }
    // and the capacity is not lost on tiny batches
    expect(shareOf(requests, onTime)).toBeGreaterThan(0.35);
  });

  it('asks quicker members if one role asks for more than all of them can do, though it takes turns with another', async () => {
    const rowsMs = [8, 2];
    const model: DeployedModel = {
      accuracy: [0, 0.8, 0.78, 0.82],
      latencyMs: (member, rows) => 2 + rowsMs[member]! * rows,
    };
    const load = { ...loadFor(model, 20), capacity: capacityOf({ model, threads: 1 }) };
    const loads = [2, 0.02].map((rate, i) => ({ arrivals: steady(load, rate, i + 1), role: `role ${i}` }));
    const { requests, onTime } = await run({ models: [{ model, budgetMs: 400 }], loads });
    const light = requests.filter((each) => each.load === 1);
    expect(shareOf(light, onTime)).toBeGreaterThan(0.99);
    // turns of all members have .51 of the requests in time
    expect(shareOf(requests, onTime)).toBeGreaterThan(0.57);
  });

  it('is compared with light users who always come first', () => {
    const light = [[5, 6], [7]].map((times) => Float64Array.from(times));
    const device = { rowMs: 10, budgetMs: 30 };
    // the row of the flooder that began at 0 runs until 10; then two of three can be in time
    expect(sharesIfFirst(light, Float64Array.from([0, 1, 2]), device)).toEqual([1, 0]);
    expect(sharesIfFirst(light, new Float64Array(), device)).toEqual([1, 1]);
  });
});

describe('several models on one machine', () => {
  const modelOf = (rowMs: number, ownMs: number) => ({
    model: { accuracy: [0, 1], latencyMs: (_: number, rows: number) => rowMs * (rows + 1) },
    budgetMs: ownMs,
  });
  const models = [modelOf(1, 200), modelOf(20, 4000)];
  const together = (loads: readonly number[], threads: number): Promise<ServedRun> =>
    run({
      models,
      threads,
      loads: models.map((each, model) => ({
        arrivals: steady(
          { ...loadFor(each.model, 10), capacity: capacityOf({ ...each, threads }) },
          loads[model]!,
          model + 1,
        ),
        role: 'a',
        model,
      })),
    });
  const inTimeOf = ({ requests, onTime }: ServedRun, model: number): number =>
    shareOf(
      requests.filter(({ load }) => load === model),
      onTime,
    );

  it.each([1, 2])('answers the requests of short and of long batches in time, on %i threads', async (threads) => {
    const both = await together([0.3, 0.4], threads);
    expect(inTimeOf(both, 0)).toBeGreaterThan(0.99);
    expect(inTimeOf(both, 1)).toBeGreaterThan(0.97);
  });

  it('answers the requests of one in time though another has more than it can answer', async () => {
    const both = await together([0.1, 1.6], 1);
    expect(inTimeOf(both, 0)).toBeGreaterThan(0.99);
    expect(inTimeOf(both, 1)).toBeGreaterThan(0.3);
  });
});

describe('the most that can be in time', () => {
  it('is found as by trying all schedules', () => {
    const times = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(times, (all) => {
        const arrivals = Float64Array.from(all).sort();
        const latencyMs = (rows: number): number => 4 + 2 * rows;
        const limits = { latencyMs, budgetMs: 12, largest: 3 };
        expect(mostInTime(arrivals, limits)).toBe(byTrying(arrivals, limits));
      }),
      { numRuns: 300 },
    );
  });
});

/** The best of all schedules of any rows in any order. */
function byTrying(
  arrivals: Float64Array,
  { latencyMs, budgetMs: budget, largest }: Parameters<typeof mostInTime>[1],
): number {
  const subsets = Array.from({ length: 2 ** arrivals.length - 1 }, (_, i) =>
    [...arrivals.keys()].filter((place) => ((i + 1) & (1 << place)) !== 0),
  ).filter((rows) => rows.length <= largest);
  const best = (open: ReadonlySet<number>, freeMs: number): number => {
    let most = 0;
    for (const rows of subsets) {
      if (!rows.every((row) => open.has(row))) continue;
      const endMs = Math.max(freeMs, ...rows.map((row) => arrivals[row]!)) + latencyMs(rows.length);
      if (rows.some((row) => endMs > arrivals[row]! + budget)) continue;
      const left = new Set([...open].filter((row) => !rows.includes(row)));
      most = Math.max(most, rows.length + best(left, endMs));
    }
    return most;
  };
  return best(new Set(arrivals.keys()), 0);
}

describe('arrivals', () => {
  const load: ArrivalLoad = { capacity: 1, budgetMs: 10, lengthMs: 30_000 };

  it('change their rate in steps', () => {
    const times = steps(load, createRng(1), [0.3, 1.4, 0.3]);
    const counts = [0, 1, 2].map((part) => times.filter((ms) => Math.floor(ms / 10_000) === part).length);
    // Poisson: four standard deviations
    [3000, 14_000, 3000].forEach((mean, part) => {
      expect(Math.abs(counts[part]! - mean)).toBeLessThan(4 * Math.sqrt(mean));
    });
  });

  it('come in clusters, of which few are large', () => {
    const times = clusters({ ...load, lengthMs: 1_000_000 }, createRng(1), 0.6);
    expect(times.length / 1_000_000).toBeGreaterThan(0.4);
    expect(times.length / 1_000_000).toBeLessThan(0.65);
    const perSecond = new Array<number>(1001).fill(0);
    for (const ms of times) perSecond[Math.min(1000, Math.floor(ms / 1000))]! += 1;
    expect(Math.max(...perSecond)).toBeGreaterThan(2 * 600);
  });
});
