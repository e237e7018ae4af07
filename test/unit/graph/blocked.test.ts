import { beforeAll, describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { imageBlock } from '../../../src/engine/device.ts';
import { toBlocked } from '../../../src/graph/blocked/layout.ts';
import * as emit from '../../../src/graph/emit.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import type { ConvOptions } from '../../../src/graph/ops/convolution/conv-shape.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { type GradientCase, lossAndGradients } from './finite-differences.ts';

/** Largest difference allowed, as a share of the largest entry: float32 sums in another order, and Winograd's own error. */
const tolerance = 2e-5;

let block: number;
beforeAll(async () => {
  block = await imageBlock();
});

/** Builds a case twice, in plain NCHW and in the machine's blocks, and returns the worst relative difference. */
async function differenceOf(gradientCase: GradientCase): Promise<number> {
  const [plain, blocked] = [await lossAndGradients(gradientCase), await lossAndGradients({ ...gradientCase, block })];
  const worst = Object.entries(plain).map(([name, expected]) => {
    const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
    const actual = blocked[name] as Float32Array;
    return expected.reduce((max, value, i) => Math.max(max, Math.abs(value - (actual[i] as number)) / scale), 0);
  });
  return Math.max(...worst);
}

const blockedIn = (t: Tape, x: Value): Value => (t.block > 1 ? toBlocked(t, x) : x);
const zeros = (size: number): TensorData => ({ dtype: 'float32', shape: [size], data: new Float32Array(size) });

describe('blocked convolutions equal plain ones, gradients included', () => {
  it.each<[string, ConvOptions, number[], number[]]>([
    ['3×3', { pad: 1 }, [2, 16, 8, 8], [32, 16, 3, 3]],
    ['3×3 on an image that tiles do not fill', { pad: 1 }, [2, 32, 7, 10], [16, 32, 3, 3]],
    ['3×3 without padding', {}, [2, 16, 6, 6], [16, 16, 3, 3]],
    ['3×3 of stride 2', { pad: 1, stride: 2 }, [2, 16, 8, 6], [32, 16, 3, 3]],
    ['3×3 of stride 2 on odd sides', { pad: 1, stride: 2 }, [2, 16, 7, 7], [16, 16, 3, 3]],
    ['3×3 dilated', { pad: 2, dilation: 2 }, [2, 16, 6, 6], [16, 16, 3, 3]],
    ['5×5', { pad: 2 }, [2, 16, 6, 6], [16, 16, 5, 5]],
    ['1×1', {}, [2, 32, 4, 4], [16, 32, 1, 1]],
    ['1×1 of stride 2', { stride: 2 }, [2, 16, 6, 6], [32, 16, 1, 1]],
    ['of three channels', { pad: 1 }, [2, 3, 6, 6], [16, 3, 3, 3]],
    ['of three channels, strided', { pad: 2, stride: 2 }, [2, 3, 9, 8], [16, 3, 5, 5]],
    ['depthwise', { pad: 1, groups: 32 }, [2, 32, 5, 5], [32, 1, 3, 3]],
    ['depthwise of stride 2', { pad: 1, stride: 2, groups: 32 }, [2, 32, 6, 8], [32, 1, 3, 3]],
    ['depthwise 5×5 without padding', { groups: 16 }, [2, 16, 7, 6], [16, 1, 5, 5]],
    ['grouped', { pad: 1, groups: 2 }, [2, 32, 4, 4], [32, 16, 3, 3]],
    ['to channels that fill no block', { pad: 1 }, [2, 16, 4, 4], [10, 16, 3, 3]],
  ])('%s', async (_, options, x, w) => {
    const build: GradientCase['build'] = (t, of) => ops.conv2d(t, of('x'), of('w'), options);
    expect(await differenceOf({ inputs: { x, w }, build })).toBeLessThan(tolerance);
  });
});

describe('blocked images', () => {
  const x = [3, 32, 4, 4];
  const statistics = { mean: zeros(32), variance: zeros(32) };
  const parts = (of: (name: string) => Value) => ({
    gamma: of('gamma'),
    beta: of('beta'),
    mean: of('mean'),
    variance: of('variance'),
  });

  it.each<[string, Omit<GradientCase, 'inputs'> & { inputs?: GradientCase['inputs'] }]>([
    ['max pool', { build: (t, of) => ops.maxPool(t, blockedIn(t, of('x')), { size: 2 }) }],
    [
      'overlapping max pool',
      { build: (t, of) => ops.maxPool(t, blockedIn(t, of('x')), { size: 3, stride: 2, pad: 1 }) },
    ],
    ['average pool', { build: (t, of) => ops.averagePool(t, blockedIn(t, of('x')), 2) }],
    ['upsampling', { build: (t, of) => ops.upsample(t, blockedIn(t, of('x')), 2) }],
    ['global average pool', { build: (t, of) => ops.globalAveragePool(t, blockedIn(t, of('x'))) }],
    ['ReLU', { build: (t, of) => ops.relu(t, blockedIn(t, of('x'))) }],
    ['sum', { build: (t, of) => ops.add(t, blockedIn(t, of('x')), blockedIn(t, of('x'))) }],
    ['concatenation', { build: (t, of) => ops.concat(t, [blockedIn(t, of('x')), blockedIn(t, of('x'))], 1) }],
    ['reshape', { build: (t, of) => ops.reshape(t, blockedIn(t, of('x')), [3, 512]) }],
    [
      'batch norm',
      {
        inputs: { x, gamma: [32], beta: [32] },
        given: statistics,
        build: (t, of) => ops.batchNorm(t, blockedIn(t, of('x')), parts(of)),
      },
    ],
    [
      'batch norm with a shortcut and ReLU',
      {
        inputs: { x, gamma: [32], beta: [32], residual: x },
        given: statistics,
        build: (t, of) =>
          ops.batchNorm(t, blockedIn(t, of('x')), parts(of), { relu: true, residual: blockedIn(t, of('residual')) }),
      },
    ],
  ])('%s', async (_, gradientCase) => {
    expect(await differenceOf({ inputs: { x }, ...gradientCase })).toBeLessThan(tolerance);
  });

  it('share the gradient of a window whose pixels are equal, so that their sum is right', async () => {
    const flat: TensorData = { dtype: 'float32', shape: [1, 1, 4, 4], data: new Float32Array(16) };
    const build: GradientCase['build'] = (t, of) =>
      ops.maxPool(t, blockedIn(t, ops.add(t, of('level'), of('flat'))), { size: 2 });
    expect(await differenceOf({ inputs: { level: [1, 16, 1, 1] }, given: { flat }, build })).toBeLessThan(tolerance);
  });

  it('are refused by operators that would misread them', () => {
    const g = new Graph('g');
    const t = Tape.forTraining(g, { noise: () => g.scalar(0), threaded: false, block: 16 });
    const images = toBlocked(t, g.input('x', [1, 16, 2, 2]));
    expect(() => emit.transpose(g, images, [0, 2, 3, 1])).toThrow('does not support');
    expect(() => emit.add(g, images, g.input('bias', [16, 1, 1]))).toThrow('plain');
  });
});
