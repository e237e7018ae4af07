import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { binaryEntropy } from './sigmoid-cross-entropy.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

export interface QualityFocalOptions extends Weighting {
  /** Exponent β: the larger, the faster the weight of an element decreases with its error; at least 1. */
  beta?: number;
}

/**
 * Quality focal loss (Li et al. 2020, equation 2) of logits x against qualities y in [0, 1], such as the overlap of a box with
 * its target, and 0 for background: |y − σ|^β · h with σ = σ(x) and h = −(1 − y) log(1 − σ) − y log σ.
 * With d = σ − y: dx = |d|^β d + h · β |d|^(β−1) sign(d) · σ(1 − σ). Divide by the number of positives (`normaliser`).
 */
export function qualityFocal(t: Tape, x: Value, y: Value, options: QualityFocalOptions = {}): Value {
  const { beta = 2, ...weighting } = options;
  const g = t.graph;
  const count = countOf(x);
  const p = emit.unary(g, 'Sigmoid', x);
  const difference = emit.sub(g, p, y);
  const distance = emit.unary(g, 'Abs', difference);
  const power = (exponent: number): Value => emit.binary(g, 'Pow', distance, g.scalar(exponent));
  const entropy = binaryEntropy(g, x, y);
  const factor = power(beta);
  const loss = weightedSum(g, emit.mul(g, factor, entropy), weighting, count);
  return t.record(loss, [x], (dloss) => {
    const sigmoidSlope = emit.mul(g, p, emit.sub(g, g.scalar(1), p));
    const factorSlope = emit.mul(g, emit.sign(g, difference), emit.mul(g, power(beta - 1), g.scalar(beta)));
    const factorGradient = emit.mul(g, emit.mul(g, entropy, factorSlope), sigmoidSlope);
    const dx = emit.add(g, emit.mul(g, factor, difference), factorGradient);
    return [emit.mul(g, dx, elementGradient(g, dloss, weighting, count))];
  });
}
