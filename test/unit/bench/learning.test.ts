import { describe, expect, it } from 'vitest';
import { PolicyTraining } from '../../../bench/serving/learning/trainer.ts';
import { kinds, worldOf } from '../../../bench/serving/learning/worlds.ts';
import { createRng } from '../../../src/runtime/rng.ts';

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
});
