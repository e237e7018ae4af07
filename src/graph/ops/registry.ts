import { relu, sigmoid, tanh } from './activations.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { batchNorm } from './batch-norm.ts';
import { conv1d, conv1dMax } from './convolution/conv1d.ts';
import { conv2d } from './convolution/conv2d.ts';
import { averagePool, globalAveragePool, maxPool } from './convolution/pooling.ts';
import { upsample } from './convolution/resampling.ts';
import { roiPool } from './convolution/roi-pool.ts';
import { dropout } from './dropout.ts';
import { abs, clip, cos, exp, log, maximum, minimum } from './elementwise.ts';
import { embedding } from './embedding.ts';
import { embeddingBag } from './embedding-bag.ts';
import { batchMatmul, dense, matmul } from './matmul.ts';
import { gru } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import { max, mean, sum } from './reductions.ts';
import { concat, padBefore, reshape, slice, transpose } from './shaping.ts';

/** All differentiable ops. The gradient tests require a case for each. */
export const ops = {
  add,
  sub,
  mul,
  div,
  exp,
  log,
  cos,
  abs,
  clip,
  maximum,
  minimum,
  relu,
  tanh,
  sigmoid,
  matmul,
  dense,
  batchMatmul,
  reshape,
  transpose,
  concat,
  slice,
  padBefore,
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
  upsample,
  roiPool,
  batchNorm,
  embedding,
  embeddingBag,
  gru,
  lstm,
} as const;
