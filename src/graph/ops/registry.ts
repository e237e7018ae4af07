import { relu, sigmoid, tanh } from './activations.ts';
import { add, mul, sub } from './arithmetic.ts';
import { batchNorm } from './batch-norm.ts';
import { conv1d, conv1dMax } from './conv1d.ts';
import { conv2d } from './conv2d.ts';
import { dropout } from './dropout.ts';
import { embedding } from './embedding.ts';
import { embeddingBag } from './embedding-bag.ts';
import { dense, matmul } from './matmul.ts';
import { averagePool, globalAveragePool, maxPool } from './pooling.ts';
import { max, mean, sum } from './reductions.ts';
import { concat, reshape, transpose } from './shaping.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

/** Every differentiable op; the gradient suite has a case for each and fails for one without. */
export const ops = {
  add,
  sub,
  mul,
  relu,
  tanh,
  sigmoid,
  matmul,
  dense,
  reshape,
  transpose,
  concat,
  sum,
  mean,
  max,
  dropout,
  conv1d,
  conv1dMax,
  conv2d,
  maxPool,
  averagePool,
  globalAveragePool,
  batchNorm,
  embedding,
  embeddingBag,
  softmaxCrossEntropy,
} as const;
