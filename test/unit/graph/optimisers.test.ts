import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import type { TrainingStep } from '../../../src/engine/feeds.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { classifier } from '../../../src/graph/classifier.ts';
import { matmul } from '../../../src/graph/ops/matmul.ts';
import type { OptimiserName } from '../../../src/graph/optimisers/registry.ts';

/** One weight per class and a constant input: the gradient is softmax(w) − target. */
const network = classifier({
  classes: 2,
  inputs: { x: { shape: [1], dtype: 'float32' } },
  parameters: { w: { shape: [1, 2], init: { kind: 'zeros' } } },
  logits: (t, inputs, parameters) => matmul(t, inputs.of('x'), parameters.of('w')),
});
const x: TensorData = { dtype: 'float32', shape: [1, 1], data: Float32Array.of(1) };
const truth: TensorData = { dtype: 'float32', shape: [1, 2], data: Float32Array.of(0, 1) };
const rate = 0.1;
const settings = { momentum: 0.9, weightDecay: 0.01, dropout: 0 };
const count = 12;

type Rule = (w: number[], gradient: number[], step: number) => number[];

/** Adam without weight decay. */
function moments(): Rule {
  const m = [0, 0];
  const v = [0, 0];
  return (w, g, t) =>
    w.map((weight, i) => {
      m[i] = 0.9 * (m[i] as number) + 0.1 * (g[i] as number);
      v[i] = 0.999 * (v[i] as number) + 0.001 * (g[i] as number) ** 2;
      const mean = (m[i] as number) / (1 - 0.9 ** t);
      const deviation = Math.sqrt((v[i] as number) / (1 - 0.999 ** t));
      return weight - (rate * mean) / (deviation + 1e-8);
    });
}

/** The textbook rules in float64. */
const rules: Record<OptimiserName, () => Rule> = {
  sgd: () => {
    const v = [0, 0];
    return (w, g) =>
      w.map((weight, i) => {
        v[i] = settings.momentum * (v[i] as number) + (g[i] as number) + settings.weightDecay * weight;
        return weight - rate * (v[i] as number);
      });
  },
  nesterov: () => {
    const v = [0, 0];
    return (w, g) =>
      w.map((weight, i) => {
        const pull = (g[i] as number) + settings.weightDecay * weight;
        v[i] = settings.momentum * (v[i] as number) + pull;
        return weight - rate * (pull + settings.momentum * (v[i] as number));
      });
  },
  adam: () => {
    const step = moments();
    return (w, g, t) =>
      step(
        w,
        g.map((gradient, i) => gradient + settings.weightDecay * (w[i] as number)),
        t,
      );
  },
  adamw: () => {
    const step = moments();
    return (w, g, t) => {
      const moved = step(w, g, t);
      return moved.map((weight, i) => weight - rate * settings.weightDecay * (w[i] as number));
    };
  },
};

describe.each(Object.keys(rules) as OptimiserName[])('%s', (optimiser) => {
  it('moves weights as the textbook says, across runs', async () => {
    const trainer = await Trainer.create({ network, optimiser, batch: 1, threads: 1, seed: 1 });
    const step: TrainingStep = { inputs: { x }, targets: { truth }, learningRate: rate };
    for (let done = 0; done < count; done += 4) await trainer.run([step, step, step, step], settings);
    const trained = Array.from(trainer.weights()['w']?.data ?? []);
    await trainer.release();

    const rule = rules[optimiser]();
    let w = [0, 0];
    for (let t = 1; t <= count; t++) {
      const p = 1 / (1 + Math.exp((w[0] as number) - (w[1] as number)));
      w = rule(w, [1 - p, p - 1], t);
    }
    trained.forEach((weight, i) => {
      expect(weight).toBeCloseTo(w[i] as number, 4);
    });
  });
});
