import type { TargetUnit } from '../../domain/kinds/kind.ts';
import * as emit from '../../graph/emit.ts';
import { Graph, type Value } from '../../graph/graph.ts';
import { encodeModel } from '../../graph/onnx.ts';
import { EMBEDDING } from '../pretrained-rows.ts';
import { emitKernel, emitPrepared, type KernelMap, mappedWidth } from './kernel-map.ts';

/** The weights of a head: [mapped width, outputs], and [outputs]. */
export interface HeadWeights {
  w: Float32Array;
  b: Float32Array;
}

/** What a head answers with: classes, or standardised numbers of this unit. */
export interface HeadAnswers {
  outputs: number;
  unit: TargetUnit | undefined;
}

/**
 * A file that computes the loss of a head and its gradient: of mapped rows `phi` [N, D] with weights `w` [D, K] and `b` [K], targets `y` [N, K] and
 * weights of rows `r` [N, 1]. For classes −Σ r y log softmax(z), for numbers ½ Σ r (z − y)²; both have ∂/∂z = r (answer − y).
 */
export function lossFile(isNumber: boolean, width: number, outputs: number): Uint8Array {
  const g = new Graph('loss');
  const phi = g.input('phi', ['N', width]);
  const [w, b] = [g.input('w', [width, outputs]), g.input('b', [1, outputs])];
  const [y, r] = [g.input('y', ['N', outputs]), g.input('r', ['N', 1])];
  const z = emit.add(g, emit.matmul(g, phi, w), b);
  const logs = isNumber ? z : g.node('LogSoftmax', [z], z.shape, { attributes: { axis: -1 } });
  const error = emit.mul(g, emit.sub(g, isNumber ? z : emit.unary(g, 'Exp', logs), y), r);
  const terms = isNumber
    ? emit.mul(g, emit.mul(g, error, emit.sub(g, z, y)), g.scalar(0.5))
    : emit.mul(g, emit.mul(g, logs, y), emit.unary(g, 'Neg', r));
  g.output(emit.reduce(g, 'ReduceSum', terms, [0, 1]), 'loss');
  g.output(emit.matmul(g, phi, error, { ta: true }), 'dw');
  g.output(emit.reduce(g, 'ReduceSum', error, [0]), 'db');
  return encodeModel(g);
}

/** The deployed file: vectors [N, width] → probabilities [N, K], or numbers [N, 1]. T and the weights are one matrix. */
export function headFile(map: KernelMap, { w, b }: HeadWeights, { outputs, unit }: HeadAnswers): Uint8Array {
  const g = new Graph('head');
  const x = emitPrepared(g, g.input(EMBEDDING, ['N', map.width]), map.preparation);
  const { landmarks } = map;
  const features = landmarks === undefined ? x : emitKernel(g, x, map.kernel, landmarks);
  const weights = landmarks === undefined ? w : product(landmarks.whitening, w, landmarks.count, outputs);
  const z = emit.add(
    g,
    emit.matmul(g, features, g.constant(weights, [mappedWidth(map), outputs])),
    g.constant(b, [1, outputs]),
  );
  g.output(answerOf(g, z, unit), unit === undefined ? 'probabilities' : 'numbers');
  return encodeModel(g);
}

function answerOf(g: Graph, z: Value, unit: TargetUnit | undefined): Value {
  if (unit === undefined) return g.node('Softmax', [z], z.shape, { attributes: { axis: -1 } });
  return emit.add(g, emit.mul(g, z, g.scalar(unit.scale)), g.scalar(unit.mean));
}

/** a [n, n] · b [n, m], in double precision. */
function product(a: Float32Array, b: Float32Array, n: number, m: number): Float32Array {
  const result = new Float32Array(n * m);
  const sums = new Float64Array(m);
  for (let row = 0; row < n; row++) {
    sums.fill(0);
    for (let k = 0; k < n; k++) {
      const weight = a[row * n + k] as number;
      if (weight === 0) continue;
      for (let column = 0; column < m; column++) sums[column]! += weight * (b[k * m + column] as number);
    }
    result.set(sums, row * m);
  }
  return result;
}
