import { afterAll, describe, expect, it } from 'vitest';
import { checkDevice } from '../../../src/engine/device.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { onnxEngine } from '../../../src/engine/onnx-engine.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { families } from '../../../src/models/registry.ts';
import type { Trial } from '../../../src/worker/trial.ts';
import { lossAndGradients } from '../graph/finite-differences.ts';
import { lossCases } from '../graph/loss-cases.ts';
import { opCases } from '../graph/op-cases.ts';
import { firstSteps, smallTrial } from './small-trials.ts';

const missing = await checkDevice('webgpu').then(
  () => null,
  (error: Error) => error,
);
if (missing !== null) console.log('no Vulkan driver on this machine: the WebGPU tests are skipped');

afterAll(releaseIdleSessions);

async function losses({ network, recipe, batch }: Trial, steps: ReturnType<typeof firstSteps>, engine: Engine) {
  const trainer = await Trainer.create({ network, optimiser: recipe.optimiser, batch, threads: 1, seed: 4, engine });
  const { momentum, weightDecay } = recipe;
  const values = await trainer.run(steps, { momentum, weightDecay, dropout: 0.1 });
  await trainer.release();
  return Array.from(values);
}

describe.skipIf(missing !== null)('on WebGPU', () => {
  it.each(Object.entries({ ...opCases, ...lossCases }))('%s', async (_, gradientCase) => {
    const own = await lossAndGradients(gradientCase);
    const other = await lossAndGradients(gradientCase, onnxEngine('webgpu'));
    for (const [name, values] of Object.entries(own)) {
      expect(Math.max(...values.map((v, i) => Math.abs(v - (other[name]?.[i] ?? Number.NaN)))), name).toBeLessThan(1e-4);
    }
  });
  it.each(families.map((family) => [family.name, family] as const))('%s loses the same over five steps as on the CPU', async (_, family) => {
    const trial = await smallTrial(family);
    const steps = firstSteps(trial, 5).map((step, k) => ({ ...step, learningRate: (trial.recipe.learningRate * (k + 1)) / 50 }));
    const t0 = performance.now();
    const onCpu = await losses(trial, steps, onnxEngine('cpu'));
    const t1 = performance.now();
    const onGpu = await losses(trial, steps, onnxEngine('webgpu'));
    console.log(family.name, t1 - t0, performance.now() - t1, onCpu, onGpu);
    onGpu.forEach((loss, step) => {
      expect(Math.abs(loss - (onCpu[step] ?? Number.NaN))).toBeLessThan(1e-4);
    });
  });
});
