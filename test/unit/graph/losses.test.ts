import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { createSession } from '../../../src/engine/session.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { losses } from '../../../src/graph/losses/registry.ts';
import type { Weighting } from '../../../src/graph/losses/weighting.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { floats } from './op-cases.ts';

async function valuesOf(
  given: Record<string, TensorData>,
  build: (t: Tape, of: (name: string) => Value) => Value,
): Promise<number[]> {
  const g = new Graph('value');
  const values = new Map(Object.entries(given).map(([name, { shape, dtype }]) => [name, g.input(name, shape, dtype)]));
  const tape = Tape.forTraining(g, { noise: () => g.scalar(0), threaded: false });
  g.output(
    build(tape, (name) => values.get(name) as Value),
    'result',
  );
  const session = await createSession(encodeModel(g), 1);
  try {
    return Array.from((await session.run(given))['result']?.data as Float32Array);
  } finally {
    await session.release();
  }
}

const x = [1.2, -0.7, 30, -40, 0.1, 3];
const binary = [1, 0, 1, 1, 0, 0];
const qualities = [0.9, 0, 0.4, 0.2, 0, 1];
const weights = [1, 0.5, 0, 2, 1, 1];
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
/** log σ in float64, without cancellation. */
const logSigmoid = (v: number): number => (v < 0 ? v - Math.log1p(Math.exp(v)) : -Math.log1p(Math.exp(-v)));
const entropy = (v: number, y: number): number => -y * logSigmoid(v) - (1 - y) * logSigmoid(-v);
const huber = (d: number, delta: number): number =>
  Math.abs(d) <= delta ? (d * d) / 2 : delta * (Math.abs(d) - delta / 2);

type Elementwise = [
  targets: number[],
  loss: (t: Tape, x: Value, y: Value, w: Weighting) => Value,
  one: (v: number, y: number) => number,
];

const elementwise: Record<string, Elementwise> = {
  'sigmoid cross-entropy': [qualities, losses.sigmoidCrossEntropy, entropy],
  focal: [
    binary,
    losses.focal,
    (v, y) => (y === 1 ? -0.25 * sigmoid(-v) ** 2 * logSigmoid(v) : -0.75 * sigmoid(v) ** 2 * logSigmoid(-v)),
  ],
  'quality focal': [qualities, losses.qualityFocal, (v, y) => Math.abs(y - sigmoid(v)) ** 2 * entropy(v, y)],
  huber: [qualities, (t, a, b, w) => losses.huber(t, a, b, { ...w, delta: 0.6 }), (v, y) => huber(v - y, 0.6)],
  'smooth L1': [
    qualities,
    (t, a, b, w) => losses.smoothL1(t, a, b, { ...w, beta: 0.6 }),
    (v, y) => huber(v - y, 0.6) / 0.6,
  ],
  'mean squared error': [qualities, losses.meanSquaredError, (v, y) => (v - y) ** 2],
};

describe.each(Object.entries(elementwise))('%s', (_, [targets, loss, one]) => {
  const given = { x: floats([2, 3], ...x), y: floats([2, 3], ...targets), w: floats([2, 3], ...weights) };
  const elements = x.map((v, i) => one(v, targets[i] as number));
  const total = (values: number[]): number => values.reduce((a, b) => a + b, 0);

  it('is the mean of its formula, for large logits too', async () => {
    const [value = 0] = await valuesOf(given, (t, of) => loss(t, of('x'), of('y'), {}));
    expect(value / (total(elements) / 6)).toBeCloseTo(1, 5);
  });

  it('is the weighted sum over the normaliser where those are given', async () => {
    const [value = 0] = await valuesOf(given, (t, of) =>
      loss(t, of('x'), of('y'), { weights: of('w'), normaliser: 4 }),
    );
    expect(value / (total(elements.map((e, i) => e * (weights[i] as number))) / 4)).toBeCloseTo(1, 5);
  });
});

describe('softmax cross-entropy', () => {
  const given = {
    x: floats([2, 3], 1, 2, 0.5, -1, 0, 3),
    y: floats([2, 3], 0.9, 0.05, 0.05, 0, 0, 1),
    classes: floats([3], 2, 1, 0.5),
    rows: floats([2, 1], 3, 0),
  };
  const logp = (row: number[]): number[] => {
    const sum = Math.log(row.reduce((a, b) => a + Math.exp(b), 0));
    return row.map((v) => v - sum);
  };
  const [first = [], second = []] = [logp([1, 2, 0.5]), logp([-1, 0, 3])];
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);

  it.each<[string, (of: (name: string) => Value) => Weighting, number]>([
    ['is a mean over rows', () => ({}), -(dot([0.9, 0.05, 0.05], first) + (second[2] as number)) / 2],
    [
      'weighs classes',
      (of) => ({ weights: of('classes') }),
      -(dot([1.8, 0.05, 0.025], first) + 0.5 * (second[2] as number)) / 2,
    ],
    ['weighs rows', (of) => ({ weights: of('rows') }), -(3 * dot([0.9, 0.05, 0.05], first)) / 2],
  ])('%s', async (_, weighting, expected) => {
    const [value] = await valuesOf(given, (t, of) => losses.softmaxCrossEntropy(t, of('x'), of('y'), weighting(of)));
    expect(value).toBeCloseTo(expected, 5);
  });
});

describe('overlaps of boxes', () => {
  const given = {
    a: floats([3, 4], 0, 0, 2, 2, 0, 0, 1, 1, 1, 1, 3, 2),
    b: floats([3, 4], 1, 1, 3, 3, 3, 0, 4, 1, 1, 1, 3, 2), // a seventh; apart with one box between; the same
  };

  it('is 1 − IoU, whose union is counted once', async () => {
    const [value] = await valuesOf(given, (t, of) => losses.iouLoss(t, of('a'), of('b')));
    expect(value).toBeCloseTo((6 / 7 + 1 + 0) / 3, 5);
  });

  it('of GIoU counts the hull that neither fills', async () => {
    const [value] = await valuesOf(given, (t, of) => losses.giouLoss(t, of('a'), of('b')));
    expect(value).toBeCloseTo((6 / 7 + 2 / 9 + (1 + 2 / 4) + 0) / 3, 5);
  });
});

describe('resampling', () => {
  it('upsamples a pixel to a square', async () => {
    const given = { x: floats([1, 1, 1, 2], 3, 5) };
    expect(await valuesOf(given, (t, of) => ops.upsample(t, of('x')))).toEqual([3, 3, 5, 5, 3, 3, 5, 5]);
  });

  it('pools a region with the values that a plane has at the middles of its bins', async () => {
    const plane = Array.from({ length: 30 }, (_, i) => 2 * (Math.floor(i / 6) + 0.5) + 0.5 * ((i % 6) + 0.5));
    const given = { x: floats([1, 1, 5, 6], ...plane), boxes: floats([1, 1, 4], 1, 0.75, 5, 4.25) };
    const pooled = await valuesOf(given, (t, of) => ops.roiPool(t, of('x'), of('boxes'), { size: 2 }));
    const middle = (y: number, along: number): number => 2 * y + 0.5 * along;
    const expected = [middle(1.625, 2), middle(1.625, 4), middle(3.375, 2), middle(3.375, 4)];
    pooled.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 5);
    });
  });
});
