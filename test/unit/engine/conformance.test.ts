import { memory } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { chosenEngine } from '../../../src/engine/choice.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { Settings, TrainingStep } from '../../../src/engine/feeds.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { losses } from '../../../src/graph/losses/registry.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { detach } from '../../../src/graph/ops/shaping.ts';
import { type OptimiserName, optimisers } from '../../../src/graph/optimisers/registry.ts';
import { families, isNetwork, networkFamily } from '../../../src/models/registry.ts';
import type { PreparedTrial } from '../../../src/training/trial.ts';
import { tensorflowWitness } from '../../support/tensorflow.ts';
import { type GradientCase, lossAndGradients } from '../graph/finite-differences.ts';
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

it('has a case for every op and every loss', () => {
  expect(Object.keys(opCases)).toEqual(expect.arrayContaining(Object.keys(ops)));
  expect(Object.keys(lossCases)).toEqual(expect.arrayContaining(Object.keys(losses)));
});

it('TensorFlow.js keeps no tensor of a training that is over', async () => {
  const trial = await smallTrial(networkFamily('vgg'));
  await oneStep(trial, witness);
  const before = memory().numTensors;
  const { network, batch } = trial;
  const trainer = await Trainer.create({ network, optimiser: 'sgd', batch, threads: 1, seed: 4, engine: witness });
  await trainer.run(firstSteps(trial, 2), { momentum: 0.9, weightDecay: 0, dropout: 0.1 });
  const held = memory().numTensors;
  await trainer.run(firstSteps(trial, 2), { momentum: 0.9, weightDecay: 0, dropout: 0.1 });
  expect(memory().numTensors).toBe(held);
  await trainer.release();
  expect(memory().numTensors).toBe(before);
});

it('TensorFlow.js refuses an operator that it does not know, by its name', async () => {
  const g = new Graph('g');
  g.output(g.node('Erf', [g.input('x', [1])], [1]), 'y');
  const session = await witness.borrow(g, 1);
  const running = session.run({ x: { dtype: 'float32', shape: [1], data: new Float32Array(1) } });
  await expect(running).rejects.toMatchObject({ sqlstate: '0A000', message: expect.stringContaining('Erf') });
  await session.release();
});

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

  it('a factor that no gradient is to reach', async () => {
    const build: GradientCase['build'] = (t, of) => ops.mul(t, of('x'), detach(t, ops.tanh(t, of('x'))));
    const own = await lossAndGradients({ inputs: { x: [3, 4] }, build });
    const other = await lossAndGradients({ inputs: { x: [3, 4] }, build }, witness);
    expect(difference(own['d.x'] ?? new Float32Array(), other['d.x'])).toBeLessThan(tolerance.gradient);
  });

  // a tuned encoder has the operators of its file, which are compared with PyTorch: test/unit/encoders/pytorch-gradients.test.ts
  const whole = families.filter(isNetwork).filter(({ needsEncoder }) => needsEncoder !== true);
  it.each(whole.map((family) => [family.name, family] as const))('a step of %s', async (_, family) => {
    const trial = await smallTrial(family);
    const own = await oneStep(trial, await chosenEngine());
    const other = await oneStep(trial, witness);
    expect(difference(own.losses, other.losses)).toBeLessThan(tolerance.forward);
    for (const [name, { data }] of Object.entries(own.state)) {
      expect(difference(data, other.state[name]?.data), name).toBeLessThan(tolerance.gradient);
    }
  });

  it.each(Object.keys(optimisers) as OptimiserName[])(
    'three steps of %s, gradients clipped and weights averaged',
    async (optimiser) => {
      const trial = await smallTrial(networkFamily('fasttext'));
      const settings = { momentum: 0.9, weightDecay: 0.1, dropout: 0.1, clipNorm: 0.05, averageDecay: 0.9 };
      const run = async (engine: Engine): Promise<Stepped> => {
        const { network, batch } = trial;
        const options = { network, optimiser, batch, threads: 1, seed: 4, clips: true, averages: true };
        return stepped(await Trainer.create({ ...options, engine }), firstSteps(trial, 3), settings);
      };
      const [own, other] = [await run(await chosenEngine()), await run(witness)];
      expect(difference(own.losses, other.losses)).toBeLessThan(tolerance.forward);
      for (const [name, { data }] of Object.entries(own.state)) {
        expect(difference(data, other.state[name]?.data), name).toBeLessThan(tolerance.gradient);
      }
    },
  );
});

interface Stepped {
  losses: Float32Array;
  /** The gradients are the velocities of plain gradient descent; what follows training is there too. */
  state: Record<string, TensorData>;
}

async function oneStep(trial: PreparedTrial, engine: Engine): Promise<Stepped> {
  const { network, batch } = trial;
  const trainer = await Trainer.create({ network, optimiser: 'sgd', batch, threads: 1, seed: 4, engine });
  return stepped(trainer, firstSteps(trial, 1), { momentum: 0, weightDecay: 0, dropout: 0.1 });
}

async function stepped(trainer: Trainer, steps: readonly TrainingStep[], settings: Settings): Promise<Stepped> {
  const losses = await trainer.run(steps, settings);
  const state = trainer.state();
  await trainer.release();
  return { losses, state };
}
