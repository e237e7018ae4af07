import { expect, it } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import { onnxEngine } from '../../../src/engine/onnx-engine.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { type GradientCase, lossAndGradients } from './finite-differences.ts';
import { lossCases } from './loss-cases.ts';
import { opCases } from './op-cases.ts';

/** Float32 sums in another order, as a share of the largest entry. */
const tolerance = 1e-5;

const cpu = onnxEngine('cpu');
/** What WebGPU is given, run on the CPU: every machine can test it. */
const portable: Engine = {
  ...cpu,
  kernels: async (threads) => ({ ...(await cpu.kernels(threads)), block: 1, portable: true }),
};

const overlapping: GradientCase = {
  inputs: { x: [2, 2, 5, 6] },
  build: (t, of) => ops.maxPool(t, of('x'), { size: 3, stride: 2, pad: 1 }),
};
const equalPixels: GradientCase = {
  inputs: { level: [1, 2, 1, 1] },
  given: { flat: { dtype: 'float32', shape: [1, 1, 6, 6], data: new Float32Array(36) } },
  build: (t, of) => ops.maxPool(t, ops.add(t, of('level'), of('flat')), { size: 3, stride: 1, pad: 1 }),
};
const cases = { ...opCases, ...lossCases, overlapping, equalPixels };

it.each(Object.entries(cases))('%s is the same from operators that GPUs have', async (_, gradientCase) => {
  const plain = await lossAndGradients(gradientCase, cpu);
  const other = await lossAndGradients(gradientCase, portable);
  for (const [name, values] of Object.entries(plain)) {
    const scale = values.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
    values.forEach((value, i) => {
      expect(Math.abs(value - (other[name]?.[i] ?? Number.NaN)) / scale, name).toBeLessThan(tolerance);
    });
  }
});
