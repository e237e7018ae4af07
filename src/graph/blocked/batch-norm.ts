import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import {
  type BatchMoments,
  type BatchNormParts,
  inputCoefficients,
  inverseDeviation,
  varianceOf,
} from '../ops/batch-moments.ts';
import type { Tape } from '../tape.ts';
import { channelAffine, channelMeans, channelProductMeans } from './layout.ts';

interface Normalisation {
  parts: BatchNormParts;
  /** N·H·W */
  count: number;
  residual: Value | undefined;
  relu: boolean;
}

/**
 * Batch norm, shortcut and ReLU of a blocked x in one pass after the statistics, and dx in two: see `ops/batch-norm.ts` for
 * the formulas. Sums over pixels use pooling, because ReduceSum does not support blocked tensors.
 */
export function blockedNormalise(t: Tape, x: Value, norm: Normalisation): { y: Value; moments: BatchMoments } {
  const g = t.graph;
  const { parts, count, residual, relu } = norm;
  const mean = channelMeans(g, x);
  const variance = varianceOf(t, channelProductMeans(g, x, x), mean);
  const inverse = inverseDeviation(t, variance);
  const a = emit.mul(g, parts.gamma, inverse);
  const b = emit.sub(g, parts.beta, emit.mul(g, mean, a));
  const y = channelAffine(g, x, { a, b, relu, ...(residual === undefined ? {} : { sum: residual }) });
  const inputs = [x, parts.gamma, parts.beta, ...(residual === undefined ? [] : [residual])];
  t.record(y, inputs, (dy) => {
    const dz = relu ? emit.mul(g, dy, emit.isPositive(g, y)) : dy;
    const dbeta = channelMeans(g, dz);
    const dgamma = emit.mul(g, inverse, emit.sub(g, channelProductMeans(g, dz, x), emit.mul(g, mean, dbeta)));
    const { b: bx, c } = inputCoefficients(t, { a, inverse, mean, dbeta, dgamma });
    const dx = channelAffine(g, dz, { a, b: c, sum: channelAffine(g, x, { a: bx }) });
    const pixels = g.scalar(count);
    return [dx, emit.mul(g, dgamma, pixels), emit.mul(g, dbeta, pixels), dz];
  });
  return { y, moments: { mean, variance } };
}
