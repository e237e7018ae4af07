import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { createSession } from '../../../src/engine/session.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import type { ConvOptions } from '../../../src/graph/ops/convolution/conv-shape.ts';
import { sequenceLengths } from '../../../src/graph/ops/recurrent/sequence.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { type GradientCase, gradientError, lossAndGradients } from './finite-differences.ts';
import { lossCases } from './loss-cases.ts';
import { ids, kinked, normParts, opCases, recurrentParts, smooth, zeros } from './op-cases.ts';

describe('emitted gradients equal central finite differences', () => {
  it.each(Object.entries({ ...opCases, ...lossCases }))('%s', async (_, { tolerance, ...gradientCase }) => {
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it('conv1dMax → relu, as the temporal CNN joins them, over a length known only when the graph runs', async () => {
    const error = await gradientError({
      inputs: { table: [9, 3], w: [6, 4], b: [4] },
      given: { ids: ids([2, 5], 1, 2, 3, 4, 5, 6, 7, 8, 1, 2) },
      declared: { ids: [2, 'T'] },
      step: 1e-3,
      build: (t, of) => {
        const strongest = ops.conv1dMax(t, ops.embedding(t, of('table'), of('ids')), of('w'), 2);
        return ops.relu(t, ops.add(t, strongest, of('b')));
      },
    });
    expect(error).toBeLessThan(kinked);
  });

  it.each<[string, ConvOptions, number[], number[]]>([
    ['strided', { stride: 2, pad: 1 }, [2, 2, 6, 5], [3, 2, 3, 3]],
    ['grouped', { groups: 2, pad: 1 }, [2, 4, 4, 4], [6, 2, 3, 3]],
    ['depthwise', { groups: 3, pad: 1 }, [2, 3, 4, 4], [3, 1, 3, 3]],
    ['dilated', { dilation: 2, pad: 2 }, [2, 2, 5, 5], [2, 2, 3, 3]],
    ['1×1', {}, [2, 3, 3, 3], [4, 3, 1, 1]],
    ['1×1, strided', { stride: 2 }, [2, 3, 4, 4], [4, 3, 1, 1]],
    ['wide and without padding', {}, [1, 2, 5, 6], [2, 2, 3, 4]],
  ])('conv2d, %s', async (_, options, x, w) => {
    const build: GradientCase['build'] = (t, of) => ops.conv2d(t, of('x'), of('w'), options);
    expect(await gradientError({ inputs: { x, w }, build })).toBeLessThan(smooth);
  });

  it('maxPool over windows that overlap and reach over the edge', async () => {
    const build: GradientCase['build'] = (t, of) => ops.maxPool(t, of('x'), { size: 3, stride: 2, pad: 1 });
    expect(await gradientError({ inputs: { x: [2, 2, 5, 6] }, build, step: 1e-3 })).toBeLessThan(kinked);
  });

  it('dropout of the same units for all members', async () => {
    const build: GradientCase['build'] = (t, of) => ops.dropout(t, of('x'), t.graph.scalar(0.5), [1, 4, 5]);
    expect(await gradientError({ inputs: { x: [3, 4, 5] }, build })).toBeLessThan(smooth);
    const { y = new Float32Array(), 'd.x': dx } = await lossAndGradients({ inputs: { x: [3, 4, 5] }, build });
    const dropped = Array.from(y, (value) => value === 0);
    expect(dropped.slice(20, 40)).toEqual(dropped.slice(0, 20));
    expect(dropped.slice(40)).toEqual(dropped.slice(0, 20));
    expect(Array.from(dx ?? [], (value) => value === 0)).toEqual(dropped);
  });

  it('batchNorm with a shortcut and ReLU', async () => {
    const error = await gradientError({
      inputs: { x: [3, 2, 3, 3], gamma: [2], beta: [2], residual: [3, 2, 3, 3] },
      given: { mean: zeros(2), variance: zeros(2) },
      step: 1e-3,
      build: (t, of) => ops.batchNorm(t, of('x'), normParts(of), { residual: of('residual'), relu: true }),
    });
    expect(error).toBeLessThan(kinked);
  });

  describe.each(['gru', 'lstm'] as const)('%s', (name) => {
    const { inputs } = opCases[name];
    const lengths = ids([3], 4, 1, 2);

    it('after all steps', async () => {
      const build: GradientCase['build'] = (t, of) => ops[name](t, of('x'), recurrentParts(of));
      expect(await gradientError({ inputs, build })).toBeLessThan(smooth);
    });

    it.each([false, true])('of all states, padded: %s', async (padded) => {
      const build: GradientCase['build'] = (t, of) =>
        ops[name](t, of('x'), recurrentParts(of), { output: 'all', ...(padded ? { lengths: of('lengths') } : {}) });
      expect(await gradientError({ inputs, given: { lengths }, build })).toBeLessThan(smooth);
    });

    it('over a length known only when the graph runs, two layers deep', async () => {
      const tables = {
        table: [9, 2],
        w: inputs['w'] as number[],
        r: inputs['r'] as number[],
        b: inputs['b'] as number[],
      };
      const second = { w2: [(inputs['w'] as number[])[0] as number, 3] };
      const error = await gradientError({
        inputs: { ...tables, ...second },
        given: { ids: ids([3, 4], 1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 0) },
        declared: { ids: [3, 'T'] },
        build: (t, of) => {
          const lengths = sequenceLengths(t, of('ids'));
          const words = ops.embedding(t, of('table'), of('ids'));
          const below = ops[name](t, words, recurrentParts(of), { lengths, output: 'all' });
          return ops[name](t, below, { ...recurrentParts(of), w: of('w2') }, { lengths });
        },
      });
      expect(error).toBeLessThan(smooth);
    });
  });

  it('embedding, emitted for several threads', async () => {
    expect(await gradientError({ ...opCases.embedding, threads: 2 })).toBeLessThan(smooth);
  });
});

it('batchNorm stays finite where a channel has one large number everywhere', async () => {
  const even: TensorData = { dtype: 'float32', shape: [4, 1, 8, 8], data: new Float32Array(256).fill(1234.567) };
  const { loss, 'd.gamma': dgamma } = await lossAndGradients({
    inputs: { gamma: [1], beta: [1] },
    given: { even, mean: zeros(1), variance: zeros(1) },
    build: (t, of) => ops.batchNorm(t, of('even'), normParts(of)),
  });
  expect([loss?.[0], dgamma?.[0]].every(Number.isFinite)).toBe(true);
});

it.each([1, 2])('embedding adds up a row that is named ten thousand times, on %i threads', async (threads) => {
  const count = 20_000;
  const g = new Graph('many');
  const table = g.input('table', [2, 64]);
  const named = g.input('ids', [count], 'int32');
  const tape = Tape.forTraining(g, { noise: () => table, threaded: threads > 1 });
  const total = ops.sum(tape, ops.embedding(tape, table, named), [0, 1]);
  g.output(tape.gradients(total, [table])[0] as Value, 'gradient');
  const session = await createSession(encodeModel(g), threads);
  const { gradient } = await session.run({
    table: { dtype: 'float32', shape: [2, 64], data: new Float32Array(128) },
    ids: { dtype: 'int32', shape: [count], data: Int32Array.from({ length: count }, (_, i) => i % 2) },
  });
  await session.release();
  expect(gradient?.data).toEqual(new Float32Array(128).fill(count / 2));
});
