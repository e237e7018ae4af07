import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { chosenEngine } from '../../../src/engine/choice.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { families } from '../../../src/models/registry.ts';
import type { Trial } from '../../../src/worker/trial.ts';
import { tensorflowWitness } from '../../support/tensorflow.ts';
import { lossAndGradients } from '../graph/finite-differences.ts';
import { lossCases } from '../graph/loss-cases.ts';
import { opCases } from '../graph/op-cases.ts';
import { difference } from './difference.ts';
import { firstSteps, smallTrial } from './small-trials.ts';

/** Largest difference, as a share of the largest entry. */
const tolerance = { forward: 1e-4, gradient: 1e-3 };

let witness: Engine;
beforeAll(async () => {
  witness = await tensorflowWitness();
});
afterAll(releaseIdleSessions);

describe('TensorFlow.js, which differentiates by itself, agrees on', () => {
  it.each(Object.entries({ ...opCases, ...lossCases }))('%s', async (_, gradientCase) => {
    const own = await lossAndGradients(gradientCase);
    const other = await lossAndGradients(gradientCase, witness);
    expect(Object.keys(other).sort()).toEqual(Object.keys(own).sort());
    for (const [name, values] of Object.entries(own)) {
      const allowed = name.startsWith('d.') ? tolerance.gradient : tolerance.forward;
      expect(difference(values, other[name]), name).toBeLessThan(allowed);
    }
  });

  it.each(families.map((family) => [family.name, family] as const))('a step of %s', async (_, family) => {
    const trial = await smallTrial(family);
    const own = await oneStep(trial, await chosenEngine());
    const other = await oneStep(trial, witness);
    expect(difference(own.losses, other.losses)).toBeLessThan(tolerance.forward);
    for (const [name, { data }] of Object.entries(own.state)) {
      expect(difference(data, other.state[name]?.data), name).toBeLessThan(tolerance.gradient);
    }
  });
});

interface Stepped {
  losses: Float32Array;
  /** The gradients are the velocities of plain gradient descent; what follows training is there too. */
  state: Record<string, TensorData>;
}

async function oneStep(trial: Trial, engine: Engine): Promise<Stepped> {
  const { network, batch } = trial;
  const trainer = await Trainer.create({ network, optimiser: 'sgd', batch, threads: 1, seed: 4, engine });
  const losses = await trainer.run(firstSteps(trial, 1), { momentum: 0, weightDecay: 0, dropout: 0.1 });
  const state = trainer.state();
  await trainer.release();
  return { losses, state };
}
