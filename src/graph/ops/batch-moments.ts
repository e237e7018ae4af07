import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** Parameters and state of batch norm, in either memory layout: see `batch-norm.ts`. */
export interface BatchNormParts {
  /** Scale γ and shift β of each channel, [C]. */
  gamma: Value;
  beta: Value;
  /** Running averages of mean and variance, [C]: training updates them, inference normalises with them. */
  mean: Value;
  variance: Value;
}

/** Statistics of a batch, [C] each. */
export interface BatchMoments {
  mean: Value;
  /** Mean of squares less square of mean: divided by n, not by n − 1. */
  variance: Value;
}

export const epsilon = 1e-5;

/** σ² = mean(x²) − μ², at least 0: rounding can make it slightly negative for a channel of equal numbers. */
export function varianceOf({ graph: g }: Tape, meanSquare: Value, mean: Value): Value {
  return emit.unary(g, 'Relu', emit.sub(g, meanSquare, emit.mul(g, mean, mean)));
}

export function inverseDeviation(t: Tape, variance: Value): Value {
  const g = t.graph;
  return emit.unary(g, 'Reciprocal', emit.unary(g, 'Sqrt', emit.add(g, variance, g.scalar(epsilon))));
}

/** b and c of dx = a·dy + b·x + c, from dβ and dγ divided by the number of pixels. */
export function inputCoefficients(
  { graph: g }: Tape,
  { a, inverse, mean, dbeta, dgamma }: Record<'a' | 'inverse' | 'mean' | 'dbeta' | 'dgamma', Value>,
): { b: Value; c: Value } {
  const b = emit.unary(g, 'Neg', emit.mul(g, emit.mul(g, a, inverse), dgamma));
  const c = emit.sub(g, emit.unary(g, 'Neg', emit.mul(g, a, dbeta)), emit.mul(g, b, mean));
  return { b, c };
}
