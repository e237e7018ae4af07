import { blockedNormalise } from '../blocked/batch-norm.ts';
import { toBlocked, toPlain } from '../blocked/layout.ts';
import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { relu } from './activations.ts';
import { add } from './arithmetic.ts';
import {
  type BatchMoments,
  type BatchNormParts,
  epsilon,
  inputCoefficients,
  inverseDeviation,
  varianceOf,
} from './batch-moments.ts';

export interface BatchNormOptions {
  /** Added after the normalisation, like the shortcut of a residual block. */
  residual?: Value;
  /** Applies max(·, 0) to the sum. */
  relu?: boolean;
}

/** Weight of a new batch in the running averages, as in PyTorch. */
const averagingRate = 0.1;

/**
 * Batch normalisation (Ioffe and Szegedy 2015) of x [N, C, H, W]: y = γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), μ and σ² of the
 * channel over the batch. With m = N·H·W: dβ = Σ dy, dγ = Σ dy·x̂, dx = γ/√(σ² + ε) · (dy − dβ/m − x̂·dγ/m), which is
 * a·dy + b·x + c with three numbers for each channel. Built from primitives: ONNX's own operator may write its statistics
 * into its inputs in training mode.
 */
export function batchNorm(t: Tape, x: Value, parts: BatchNormParts, options: BatchNormOptions = {}): Value {
  if (!t.training) return finish(t, inferenceNorm(t, x, parts), options);
  const [n = 1, , h = 1, w = 1] = x.shape;
  const count = Number(n) * Number(h) * Number(w);
  if (!x.blocked) {
    const { y, moments } = trainingNorm(t, x, { parts, count });
    updateAverages(t, parts, moments, count);
    const { residual } = options;
    return finish(t, y, { ...options, ...(residual === undefined ? {} : { residual: toPlain(t, residual) }) });
  }
  const residual = options.residual === undefined ? undefined : toBlocked(t, options.residual);
  const { y, moments } = blockedNormalise(t, x, { parts, count, residual, relu: options.relu ?? false });
  updateAverages(t, parts, moments, count);
  return y;
}

function finish(t: Tape, y: Value, { residual, relu: rectified = false }: BatchNormOptions): Value {
  const sum = residual === undefined ? y : add(t, y, residual);
  return rectified ? relu(t, sum) : sum;
}

/** ONNX Runtime folds it into the preceding convolution. */
function inferenceNorm(t: Tape, x: Value, { gamma, beta, mean, variance }: BatchNormParts): Value {
  const attributes = { epsilon: { float: epsilon } };
  return t.graph.node('BatchNormalization', [x, gamma, beta, mean, variance], x.shape, { attributes });
}

function trainingNorm(t: Tape, x: Value, { parts, count }: { parts: BatchNormParts; count: number }) {
  const g = t.graph;
  const c = emit.dimOf(x, 1);
  const perChannel = (v: Value): Value => emit.reshape(g, v, [1, c, 1, 1]);
  const total = (v: Value): Value => emit.reshape(g, emit.reduce(g, 'ReduceSum', v, [0, 2, 3]), [c]);
  const average = (v: Value): Value => emit.reshape(g, emit.reduce(g, 'ReduceMean', v, [0, 2, 3]), [c]);
  const mean = average(x);
  const variance = varianceOf(t, average(emit.mul(g, x, x)), mean);
  const inverse = inverseDeviation(t, variance);
  const a = emit.mul(g, parts.gamma, inverse);
  const shift = emit.sub(g, parts.beta, emit.mul(g, mean, a));
  const y = emit.add(g, emit.mul(g, x, perChannel(a)), perChannel(shift));
  t.record(y, [x, parts.gamma, parts.beta], (dy) => {
    const dbeta = total(dy);
    const dgamma = emit.mul(g, inverse, emit.sub(g, total(emit.mul(g, dy, x)), emit.mul(g, mean, dbeta)));
    const share = g.scalar(1 / count);
    const means = { dbeta: emit.mul(g, dbeta, share), dgamma: emit.mul(g, dgamma, share) };
    const { b, c: constant } = inputCoefficients(t, { a, inverse, mean, ...means });
    const linear = emit.add(g, emit.mul(g, dy, perChannel(a)), emit.mul(g, x, perChannel(b)));
    return [emit.add(g, linear, perChannel(constant)), dgamma, dbeta];
  });
  return { y, moments: { mean, variance } };
}

/** The running variance is the unbiased one, divided by n − 1. */
function updateAverages(t: Tape, parts: BatchNormParts, { mean, variance }: BatchMoments, count: number): void {
  const g = t.graph;
  const updateAverage = (average: Value, batch: Value): void =>
    t.updateBuffer(
      average,
      emit.add(g, emit.mul(g, average, g.scalar(1 - averagingRate)), emit.mul(g, batch, g.scalar(averagingRate))),
    );
  updateAverage(parts.mean, mean);
  updateAverage(parts.variance, emit.mul(g, variance, g.scalar(count / Math.max(1, count - 1))));
}
