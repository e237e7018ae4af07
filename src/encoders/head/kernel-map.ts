import * as emit from '../../graph/emit.ts';
import { Graph, type Value } from '../../graph/graph.ts';
import { encodeModel } from '../../graph/onnx.ts';

export type VectorNormalisation = 'none' | 'unit' | 'standard';

/** k(x, z) = x·z; exp(−γ‖x − z‖²); or (γ x·z + 1)ᵈ / sᵈ, where s is γ x·x + 1 of vectors of the mean squared length: k(x, x) is about 1. */
export type HeadKernel =
  | { kind: 'linear' }
  | { kind: 'rbf'; gamma: number }
  | { kind: 'polynomial'; gamma: number; degree: number; scale: number };

/** How vectors are prepared: each has the length 1, or each of their numbers has mean 0 and the variance 1 / width. */
export type Preparation =
  | { kind: 'none' }
  | { kind: 'unit' }
  | { kind: 'standard'; mean: Float32Array; scale: Float32Array };

/**
 * What a kernel makes of a vector x: φ(x) = k(x, Z)·T with landmarks Z and T = L⁻ᵀ, where L·Lᵀ = k(Z, Z), so that φ(x)·φ(z) ≈ k(x, z) (Nyström;
 * Williams and Seeger 2001). A linear kernel has none: φ(x) = x.
 */
export interface KernelMap {
  width: number;
  preparation: Preparation;
  kernel: HeadKernel;
  /** [landmarks, width], prepared; and T, [landmarks, landmarks]. */
  landmarks?: { vectors: Float32Array; count: number; whitening: Float32Array };
}

/** Numbers of φ(x). */
export const mappedWidth = ({ width, landmarks }: KernelMap): number => landmarks?.count ?? width;

/** Avoids a division by zero for a vector of zeros, which then stays one. */
const TINY = 1e-12;

/** x [N, width], prepared. */
export function emitPrepared(g: Graph, x: Value, preparation: Preparation): Value {
  if (preparation.kind === 'none') return x;
  if (preparation.kind === 'unit') {
    const square = emit.reduce(g, 'ReduceSum', emit.mul(g, x, x), [1]);
    return emit.div(g, x, emit.unary(g, 'Sqrt', emit.add(g, square, g.scalar(TINY))));
  }
  const { mean, scale } = preparation;
  const row = (data: Float32Array): Value => g.constant(data, [1, data.length]);
  return emit.mul(g, emit.sub(g, x, row(mean)), row(scale));
}

/** k(x, z) of prepared vectors x [N, width] with each landmark [M, width]: [N, M]. */
export function emitKernel(
  g: Graph,
  x: Value,
  kernel: HeadKernel,
  { vectors, count }: { vectors: Float32Array; count: number },
): Value {
  const width = vectors.length / count;
  const products = emit.matmul(g, x, g.constant(transposed(vectors, count), [width, count]));
  if (kernel.kind === 'linear') return products;
  if (kernel.kind === 'polynomial') {
    const { gamma, degree, scale } = kernel;
    const base = emit.mul(g, emit.add(g, emit.mul(g, products, g.scalar(gamma)), g.scalar(1)), g.scalar(1 / scale));
    let power = base;
    for (let factor = 1; factor < degree; factor++) power = emit.mul(g, power, base);
    return power;
  }
  const { gamma } = kernel;
  const lengths = new Float32Array(count);
  for (let row = 0; row < count; row++)
    for (let i = row * width; i < (row + 1) * width; i++) lengths[row]! += -gamma * (vectors[i] as number) ** 2;
  const own = emit.mul(g, emit.reduce(g, 'ReduceSum', emit.mul(g, x, x), [1]), g.scalar(-gamma));
  const both = emit.add(g, own, g.constant(lengths, [1, count]));
  return emit.unary(g, 'Exp', emit.add(g, emit.mul(g, products, g.scalar(2 * gamma)), both));
}

/** A file that maps vectors `x` [N, width] to φ(x), or to k(x, Z) without T. */
export function mapFile(map: KernelMap, { whitens }: { whitens: boolean }): Uint8Array {
  const g = new Graph('map');
  const x = emitPrepared(g, g.input('x', ['N', map.width]), map.preparation);
  const { landmarks } = map;
  let y = landmarks === undefined ? x : emitKernel(g, x, map.kernel, landmarks);
  if (landmarks !== undefined && whitens)
    y = emit.matmul(g, y, g.constant(landmarks.whitening, [landmarks.count, landmarks.count]));
  g.output(y, 'y');
  return encodeModel(g);
}

function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = rows === 0 ? 0 : matrix.length / rows;
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column] as number;
  return result;
}
