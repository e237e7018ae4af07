import { add, div, mul, unary } from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** Running means of the gradient and of its square: what Adam and its kin keep. */
export const momentSlots = ['mean', 'square'] as const;

/** √(1−β₂ᵗ)/(1−β₁ᵗ): the moments begin at zero, and this makes up for it. */
export const momentCorrection = (t: number): number => Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t);

/** m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², and the step α·m / (√v + ε), α being the corrected step size. */
export function momentStep(
  g: Graph,
  gradient: Value,
  { slots: [mean, square], stepSize }: { slots: readonly Value[]; stepSize: Value },
): { step: Value; slots: Value[] } {
  const zero = g.scalar(0);
  const m = add(g, mul(g, mean ?? zero, g.scalar(beta1)), mul(g, gradient, g.scalar(1 - beta1)));
  const v = add(g, mul(g, square ?? zero, g.scalar(beta2)), mul(g, mul(g, gradient, gradient), g.scalar(1 - beta2)));
  return { step: div(g, mul(g, m, stepSize), add(g, unary(g, 'Sqrt', v), g.scalar(epsilon))), slots: [m, v] };
}
