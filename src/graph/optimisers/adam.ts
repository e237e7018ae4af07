import { add, div, mul, sub, unary } from '../emit.ts';
import type { Optimiser } from './optimiser.ts';

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/**
 * Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019):
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − ηλ·w − η·√(1−β₂ᵗ)/(1−β₁ᵗ)·m / (√v + ε).
 */
export const adam: Optimiser = {
  name: 'adam',
  slots: ['mean', 'square'],
  correction: (t) => Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t),
  update(g, weight, gradient, [mean, square], { stepSize, learningRate, weightDecay }) {
    const zero = g.scalar(0);
    const m = add(g, mul(g, mean ?? zero, g.scalar(beta1)), mul(g, gradient, g.scalar(1 - beta1)));
    const v = add(g, mul(g, square ?? zero, g.scalar(beta2)), mul(g, mul(g, gradient, gradient), g.scalar(1 - beta2)));
    const step = div(g, mul(g, m, stepSize), add(g, unary(g, 'Sqrt', v), g.scalar(epsilon)));
    const decayed = sub(g, weight, mul(g, weight, mul(g, learningRate, weightDecay)));
    return { weight: sub(g, decayed, step), slots: [m, v] };
  },
};
