import { describe, expect, it } from 'vitest';
import { type ArrivalLoad, type Arrivals, onOff, parseTrace, sine, steps } from '../../../bench/serving/arrivals.ts';
import { bound } from '../../../bench/serving/bound.ts';
import { leaving, servesLate, simulated, simulatedPolicy } from '../../../bench/serving/policies.ts';
import { single, three } from '../../../bench/serving/profiles.ts';
import { type Result, simulate } from '../../../bench/serving/simulator.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { greedy } from '../../../src/serving/policies/greedy.ts';
import { actor, actorCritic } from '../../../src/serving/policies/learned/actor-critic.ts';
import { ActorCriticNetwork } from '../../../src/serving/policies/learned/network.ts';
import type { Fleet, Policy } from '../../../src/serving/policies/policy.ts';

/** Inception-v3 under on-off for 50 τ. */
const load: ArrivalLoad = { capacity: 64 / 235, budgetMs: 560, lengthMs: 50 * 560 };
const arrivals = onOff(load, createRng(3), { on: 3, off: 4, rate: 1.35 });

interface ScheduleCase {
  policy: string;
  fleet?: Fleet;
  arrivals?: Arrivals;
  drops?: boolean;
  noise?: number;
}

function run({ policy, fleet = single, arrivals: asked = arrivals, drops = true, noise = 0 }: ScheduleCase): Result {
  return simulate({
    fleet,
    budgetMs: load.budgetMs,
    arrivals: asked,
    policy: (known) => simulatedPolicy(policy).create({ fleet: known, seed: 1, ...leaving(drops) }),
    drops,
    noise,
    rng: createRng(1),
  });
}

describe('the simulator of serving', () => {
  it('gives the same result for the same seed, with noise as well', () => {
    expect(run({ policy: 'planner', noise: 0.1 })).toEqual(run({ policy: 'planner', noise: 0.1 }));
  });

  const bounds = [single, three].map(async (fleet) => ({ fleet, max: await bound(fleet, arrivals, load.budgetMs) }));

  it.each(simulated)(
    'answers or refuses each request once under $name, and earns no more than the bound',
    async (kind) => {
      for (const { fleet, max } of await Promise.all(bounds)) {
        for (const drops of servesLate(kind) ? [true, false] : [true]) {
          const result = run({ policy: kind.name, fleet, drops });
          expect(result.requests).toBe(arrivals.length);
          expect(result.refused === 0 || drops).toBe(true);
          expect(result.reward).toBeLessThanOrEqual(max.reward);
        }
      }
    },
  );

  it('refuses in time if nothing varies: no answer is overdue', () => {
    expect(run({ policy: 'planner' }).overdue).toBe(0);
    expect(run({ policy: 'greedy' }).overdue).toBe(0);
  });

  it('decides the same whatever the accuracy of a lone model is', () => {
    const cycle = sine({ ...load, lengthMs: 500 * load.budgetMs }, createRng(1));
    const [whole, ...others] = [1, 0.9, 0.7].map((accuracy) => {
      const lone = { ...single, accuracy: [0, accuracy] };
      const { overdue, refused } = run({ policy: 'planner', fleet: lone, arrivals: cycle });
      return overdue + refused;
    });
    expect(others).toEqual([whole, whole]);
  });

  it('shows what dropping is worth: the greedy rule earns more than half as much again', () => {
    expect(run({ policy: 'greedy' }).reward).toBeGreaterThan(1.5 * run({ policy: 'greedy', drops: false }).reward);
  });
});

describe('the trained weights of the actor-critic', () => {
  const budgetMs = 1000;
  const rush = steps({ capacity: 0.572, budgetMs, lengthMs: 30 * budgetMs }, createRng(3), [0.5, 0.95]);
  const rewardOf = (policy: (known: Fleet) => Policy): number =>
    simulate({ fleet: three, budgetMs, arrivals: rush, policy, drops: false, noise: 0, rng: createRng(1) }).reward;

  it('earn more than first ones, and than the greedy rule, if all are served near the capacity of all models', () => {
    const options = { seed: 1, ...leaving(false) };
    const network = new ActorCriticNetwork(createRng(1));
    const trained = rewardOf((fleet) => actorCritic({ fleet, ...options }));
    const untrained = rewardOf((fleet) => actor({ fleet, ...options, network, onStep: () => undefined }));
    expect(trained).toBeGreaterThan(1.2 * untrained);
    expect(trained).toBeGreaterThan(10 * rewardOf((fleet) => greedy({ fleet, ...options })));
  });
});

describe('the clairvoyant bound', () => {
  it('answers everything with the whole ensemble if there is time', async () => {
    const few = Float64Array.from({ length: 100 }, (_, i) => 100 * i);
    const { reward, missed } = await bound(three, few, 1000);
    expect(reward).toBeCloseTo(82.04, 6);
    expect(missed).toBeCloseTo(0, 9);
  });

  it('refuses concurrent requests that exceed the budget', async () => {
    // 1000 requests at 0; one model answers 64 / 235 a millisecond for 560 ms, and for the rest of the interval they came in
    const { reward } = await bound(single, new Float64Array(1000), 560);
    expect(reward).toBeCloseTo((64 / 235) * 560 * 1.25, 3);
  });
});

describe('arrivals', () => {
  it('follow the sine of the paper: .5764 of the capacity on average, above it for 20 % of a cycle', () => {
    const whole = { capacity: 1, budgetMs: 10, lengthMs: 5000 };
    const times = sine(whole, createRng(1));
    // Poisson: a standard deviation of 54 in 2882
    expect(Math.abs(times.length - 2882)).toBeLessThan(250);
    const top = times.filter((ms) => ms >= 750 && ms < 1750).length;
    expect(top).toBeGreaterThan(900);
  });

  it('are read from a file, in any order', () => {
    expect(Array.from(parseTrace('3\n1.5\n\nnote\n2\n'))).toEqual([1.5, 2, 3]);
  });
});
