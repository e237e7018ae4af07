import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

export interface FocalOptions extends Weighting {
  /** Weight of the positives; 1 − α is that of the negatives. */
  alpha?: number;
  /** Exponent γ: the larger, the faster the weight of an element decreases with pₜ. */
  gamma?: number;
}

/**
 * Focal loss (Lin et al. 2017, equation 5) of logits x against y, 0 or 1, element by element: −αₜ (1 − pₜ)^γ log pₜ, where
 * pₜ = σ(z) with z = x for positives and −x for negatives, and αₜ = α or 1 − α.
 * dx = ±αₜ (1 − pₜ)^γ (γ pₜ log pₜ + pₜ − 1), + for positives.
 * Divide by the number of positives (`normaliser`), as the paper does.
 */
export function focal(t: Tape, x: Value, y: Value, options: FocalOptions = {}): Value {
  const { alpha = 0.25, gamma = 2, ...weighting } = options;
  const g = t.graph;
  const count = countOf(x);
  const one = g.scalar(1);
  const sign = emit.sub(g, emit.mul(g, y, g.scalar(2)), one);
  const z = emit.mul(g, x, sign);
  const negated = emit.unary(g, 'Neg', z);
  const oneMinusP = emit.unary(g, 'Sigmoid', negated); // 1 − pₜ
  const crossEntropy = emit.unary(g, 'Softplus', negated); // −log pₜ
  const balance = emit.add(g, g.scalar(1 - alpha), emit.mul(g, y, g.scalar(2 * alpha - 1)));
  const factor = emit.mul(g, balance, emit.binary(g, 'Pow', oneMinusP, g.scalar(gamma)));
  const loss = weightedSum(g, emit.mul(g, factor, crossEntropy), weighting, count);
  return t.record(loss, [x], (dloss) => {
    const p = emit.sub(g, one, oneMinusP);
    const slope = emit.add(g, emit.mul(g, emit.mul(g, p, crossEntropy), g.scalar(gamma)), oneMinusP);
    const dx = emit.unary(g, 'Neg', emit.mul(g, sign, emit.mul(g, factor, slope)));
    return [emit.mul(g, dx, elementGradient(g, dloss, weighting, count))];
  });
}
