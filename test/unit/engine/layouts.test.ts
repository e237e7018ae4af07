import { describe, expect, it } from 'vitest';
import { imageBlock } from '../../../src/engine/device.ts';
import type { TrainingStep } from '../../../src/engine/feeds.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import type { Network } from '../../../src/graph/network.ts';
import { familiesFor, isNetwork } from '../../../src/models/registry.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { shallow } from '../models/pictures.ts';

const state = { side: 16, mean: [128, 128, 128], deviation: [74, 74, 74] };
const features = { encoder: 'pixels', classes: ['a', 'b', 'c', 'd'], state };
const networks = familiesFor('image_classification')
  .filter(isNetwork)
  .map(({ name, space, network }): [string, Network] => [
    name,
    network(features, { ...space('image_classification').initial(), width: 16, ...shallow }),
  ]);
const batch = 8;
const settings = { momentum: 0.9, weightDecay: 1e-3, dropout: 0.2 };

function randomSteps(count: number): TrainingStep[] {
  const rng = createRng(9);
  return Array.from({ length: count }, () => {
    const data = Uint8Array.from({ length: batch * 3 * 256 }, () => rng.below(256));
    const truth = new Float32Array(batch * 4);
    for (let row = 0; row < batch; row++) truth[row * 4 + rng.below(4)] = 1;
    return {
      inputs: { image: { dtype: 'uint8', shape: [batch, 3, 16, 16], data } },
      targets: { truth: { dtype: 'float32', shape: [batch, 4], data: truth } },
      learningRate: 0.002,
    };
  });
}

async function train(network: Network, options: { block: number; threads: number }) {
  const trainer = await Trainer.create({ network, optimiser: 'nesterov', batch, seed: 2, ...options });
  const losses = await trainer.run(randomSteps(5), settings);
  const weights = trainer.weights();
  await trainer.release();
  return { losses: Array.from(losses), weights };
}

describe.each(networks)('%s', (_, network) => {
  it.each([1, 2])('loses the same over five steps in blocked and in plain layout, on %i threads', async (threads) => {
    const plain = await train(network, { block: 1, threads });
    const blocked = await train(network, { block: await imageBlock(), threads });
    blocked.losses.forEach((loss, step) => {
      expect(Math.abs(loss - (plain.losses[step] as number))).toBeLessThan(1e-4);
    });
    for (const [name, { data }] of Object.entries(plain.weights)) {
      const other = blocked.weights[name]?.data ?? new Float32Array(0);
      const worst = data.reduce((max, value, i) => Math.max(max, Math.abs(value - (other[i] as number))), 0);
      expect(worst, name).toBeLessThan(1e-3);
    }
  });

  it('keeps running averages of each batch norm, which no weight decay pulls at', async () => {
    const { weights } = await train(network, { block: 1, threads: 1 });
    const averages = Object.keys(weights).filter((name) => /\.(mean|variance)$/.test(name));
    expect(averages.length).toBeGreaterThan(4);
    for (const name of averages) {
      const start = name.endsWith('mean') ? 0 : 1;
      expect(weights[name]?.data.some((value) => value !== start)).toBe(true);
    }
  });
});
