import { afterAll, describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { checkDevice } from '../../../src/engine/device.ts';
import type { DeviceName } from '../../../src/engine/device-name.ts';
import { onnxEngine } from '../../../src/engine/onnx-engine.ts';
import { createSession, releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { exportModel } from '../../../src/graph/inference-graph.ts';
import { families, isNetwork } from '../../../src/models/registry.ts';
import type { PreparedTrial } from '../../../src/training/trial.ts';
import { difference } from './difference.ts';
import { firstSteps, smallTrial } from './small-trials.ts';

const tolerance = 1e-4;

// Mesa's software driver compiles for 15 s where it would compute for one: plainer code is compiled three times as fast.
process.env['GALLIVM_PERF'] = 'nopt';
process.env['LP_NATIVE_VECTOR_WIDTH'] = '128';

const hasWebgpu = await checkDevice('webgpu').then(
  () => true,
  () => false,
);
if (!hasWebgpu) console.log('no Vulkan driver is on this machine: training on WebGPU is not tested');

afterAll(releaseIdleSessions);

/** The losses of five steps, and what the model as it is then answers to four rows. */
async function trained(
  trial: PreparedTrial,
  device: DeviceName,
): Promise<{ losses: Float32Array; answer: TensorData }> {
  const { network, recipe, batch, valid } = trial;
  const { optimiser, momentum, weightDecay } = recipe;
  const engine = onnxEngine(device);
  const trainer = await Trainer.create({ network, optimiser, batch, threads: 1, seed: 4, engine });
  const losses = await trainer.run(firstSteps(trial, 5), { momentum, weightDecay, dropout: 0.1 });
  const session = await createSession(exportModel(network, trainer.weights()), 1, device);
  const [answer] = Object.values(await session.run(valid.batch(Int32Array.of(0, 1, 2, 3))));
  await session.release();
  await trainer.release();
  if (answer === undefined) throw new RangeError('the model has no output');
  return { losses, answer };
}

/** Of detections [N, M, 6] the scores alone: equals may come in any order before much is learnt. */
function compared({ data, shape }: TensorData): Float32Array {
  const values = Float32Array.from(data, Number);
  return shape.length === 3 ? values.filter((_, i) => i % 6 === 1) : values;
}

describe.skipIf(!hasWebgpu)('on WebGPU', () => {
  const whole = families.filter(isNetwork).filter(({ needsEncoder }) => needsEncoder !== true);
  it.each(whole.map((family) => [family.name, family] as const))(
    '%s loses the same over five steps as on the CPU, and answers the same',
    async (_, family) => {
      const trial = await smallTrial(family);
      const [cpu, gpu] = [await trained(trial, 'cpu'), await trained(trial, 'webgpu')];
      expect(difference(cpu.losses, gpu.losses)).toBeLessThan(tolerance);
      expect(difference(compared(cpu.answer), compared(gpu.answer))).toBeLessThan(tolerance);
    },
    300_000,
  );
});
