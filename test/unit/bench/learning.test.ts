import { describe, expect, it } from 'vitest';
import { PolicyTraining } from '../../../bench/serving/learning/trainer.ts';
import { kinds, worldOf } from '../../../bench/serving/learning/worlds.ts';
import { leaving } from '../../../bench/serving/policies.ts';
import { simulate } from '../../../bench/serving/simulator.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { ACTION_FEATURES, outlookOf } from '../../../src/serving/policies/learned/outlook.ts';
import type { Decision, Policy, PolicyOptions, PolicyState } from '../../../src/serving/policies/policy.ts';
import { plainOutlook } from './plain-outlook.ts';

describe('the training of the actor-critic', () => {
  it('continues from its stored state as if it had not been interrupted', () => {
    const whole = new PolicyTraining({ seed: 5, roundSteps: 512 });
    whole.round();
    const kept = JSON.stringify(whole.state);
    whole.round();
    const next = new PolicyTraining({ seed: 6, roundSteps: 512 }, JSON.parse(kept));
    next.round();
    expect(next.state).toEqual(whole.state);
    expect(next.done).toBeGreaterThan(1024);
  });

  it('changes what the network does', () => {
    const training = new PolicyTraining({ seed: 5, roundSteps: 512 });
    const before = training.network.weights;
    training.round();
    expect(training.network.weights.actor).not.toEqual(before.actor);
    expect(training.network.weights.critic).not.toEqual(before.critic);
  });

  it.each(Object.keys(kinds))('has loads for the kind %s whose requests come in order', (kind) => {
    const rng = createRng(1);
    const worlds = Array.from({ length: 30 }, () => worldOf(kind, rng));
    const isAscending = (times: Float64Array): boolean => times.every((ms, i) => i === 0 || ms >= times[i - 1]!);
    expect(worlds.every(({ arrivals }) => isAscending(arrivals))).toBe(true);
    const requests = worlds.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
    expect(requests).toBeGreaterThan(10_000);
  });

  it.each(Object.keys(kinds))('in %s sees every batch as the definitions say, at every decision of a run', (kind) => {
    const rng = createRng(7);
    let decisions = 0;
    for (const drops of [true, false]) {
      const { fleet, budgetMs, arrivals } = worldOf(kind, rng);
      const policy = (options: PolicyOptions): Policy => ({
        name: 'each prospect in turn',
        decide(state): Decision {
          const { prospects, actions, nextFreeMs } = outlookOf(options, state);
          const plain = plainOutlook(options, state);
          expect(prospects).toMatchObject(plain.map(({ subset, from, rows }) => ({ subset, from, rows })));
          const seen = plain.flatMap((each) => each.seen);
          expect(actions).toHaveLength(ACTION_FEATURES * plain.length);
          expect(Math.max(0, ...seen.map((value, i) => Math.abs(value - actions[i]!)))).toBeLessThan(1e-12);
          return prospects.length === 0 ? later(state) : taken(prospects[decisions++ % prospects.length]!, nextFreeMs);
        },
      });
      simulate({
        ...{ fleet, budgetMs, arrivals: arrivals.slice(0, 1500), drops, noise: drops ? 0.1 : 0, rng },
        policy: (known) => policy({ fleet: known, seed: 1, ...leaving(drops) }),
      });
    }
    expect(decisions).toBeGreaterThan(50);
  });
});

const taken = ({ subset, from, rows }: { subset: number; from: number; rows: number }, nextFreeMs: number): Decision =>
  rows > 0
    ? { kind: 'dispatch', subset, from, rows }
    : { kind: 'wait', untilMs: nextFreeMs, rows: Number.POSITIVE_INFINITY };

const later = ({ queue }: PolicyState): Decision => ({
  kind: 'wait',
  untilMs: Number.POSITIVE_INFINITY,
  rows: queue.length + 1,
});
