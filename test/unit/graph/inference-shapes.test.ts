import { expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { createSession } from '../../../src/engine/session.ts';
import { Graph, type Shape, type Value } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { sequenceLengths } from '../../../src/graph/ops/recurrent/sequence.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { ids, recurrentParts } from './op-cases.ts';

interface ShapeCase {
  shapes: Record<string, number[]>;
  /** The shapes of an exported model, where the batch and the length of texts are names. */
  named: Record<string, Shape>;
  build(t: Tape, of: (name: string) => Value): Value;
}

const recurrent = (kind: 'gru' | 'lstm', output: 'last' | 'all'): ShapeCase => {
  const gates = { gru: [9, 18], lstm: [12, 12] }[kind] as [number, number];
  return {
    shapes: { x: [3, 4, 2], w: [gates[0], 2], r: [gates[0], 3], b: [gates[1]], ids: [3, 4] },
    named: { x: ['N', 'T', 2], ids: ['N', 'T'] },
    build: (t, of) => ops[kind](t, of('x'), recurrentParts(of), { output, lengths: sequenceLengths(t, of('ids')) }),
  };
};

const cases: Record<string, ShapeCase> = {
  'gru, last': recurrent('gru', 'last'),
  'gru, all': recurrent('gru', 'all'),
  'lstm, last': recurrent('lstm', 'last'),
  'lstm, all': recurrent('lstm', 'all'),
  upsample: {
    shapes: { x: [3, 2, 3, 4] },
    named: { x: ['N', 2, 3, 4] },
    build: (t, of) => ops.upsample(t, of('x')),
  },
  roiPool: {
    shapes: { x: [3, 2, 5, 4], boxes: [3, 2, 4] },
    named: { x: ['N', 2, 5, 4], boxes: ['N', 2, 4] },
    build: (t, of) => ops.roiPool(t, of('x'), of('boxes'), { size: 2 }),
  },
};

async function run(
  g: Graph,
  t: Tape,
  { named, build }: ShapeCase,
  given: Record<string, TensorData>,
): Promise<TensorData> {
  const values = Object.entries(given).map(
    ([name, { shape, dtype }]) => [name, g.input(name, t.training ? shape : (named[name] ?? shape), dtype)] as const,
  );
  const inputs = new Map(values);
  g.output(
    build(t, (name) => inputs.get(name) as Value),
    'result',
  );
  const session = await createSession(encodeModel(g), 1);
  const { result } = await session.run(given);
  await session.release();
  return result as TensorData;
}

it.each(Object.entries(cases))('%s answers the same in an exported model, of any number of rows', async (_, opCase) => {
  const rng = createRng(4);
  const given: Record<string, TensorData> = {};
  for (const [name, shape] of Object.entries(opCase.shapes)) {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal());
    given[name] = { dtype: 'float32', shape, data };
  }
  if (given['ids']) given['ids'] = ids([3, 4], 5, 2, 0, 0, 1, 1, 1, 1, 7, 0, 0, 0);
  const [training, inference] = [new Graph('training'), new Graph('inference')];
  const noise = (): Value => training.scalar(0);
  const trained = await run(training, Tape.forTraining(training, { noise, threaded: false }), opCase, given);
  const exported = await run(inference, Tape.forInference(inference), opCase, given);
  expect(exported.shape).toEqual(trained.shape);
  exported.data.forEach((value, i) => {
    expect(Number(value)).toBeCloseTo(Number(trained.data[i]), 6);
  });
});
