import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** Running means of the gradient and of its square: the state of Adam and AdamW. */
export const momentSlots = ['mean', 'square'] as const;

/** √(1−β₂ᵗ)/(1−β₁ᵗ): corrects the bias of moments that are zero at step 0 (Kingma and Ba 2015, section 3). */
export const momentCorrection = (t: number): number => Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t);

/** m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², and the step α·m / (√v + ε), α being the corrected step size. */
export function momentStep(
  g: Graph,
  gradient: Value,
  { slots: [mean, square], stepSize }: { slots: readonly Value[]; stepSize: Value },
): { step: Value; slots: Value[] } {
  const zero = g.scalar(0);
  const m = emit.add(g, emit.mul(g, mean ?? zero, g.scalar(beta1)), emit.mul(g, gradient, g.scalar(1 - beta1)));
  const v = emit.add(
    g,
    emit.mul(g, square ?? zero, g.scalar(beta2)),
    emit.mul(g, emit.mul(g, gradient, gradient), g.scalar(1 - beta2)),
  );
  return {
    step: emit.div(g, emit.mul(g, m, stepSize), emit.add(g, emit.unary(g, 'Sqrt', v), g.scalar(epsilon))),
    slots: [m, v],
  };
}
