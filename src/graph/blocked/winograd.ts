import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';
import type { ConvShape } from '../ops/convolution/conv-shape.ts';
import { pixelRows, zeroRow } from './layout.ts';

type Matrix = readonly (readonly number[])[];

/** Transforms of F(4×4, 3×3) (Lavin and Gray 2016, section 4.3). */
const input: Matrix = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const kernel: Matrix = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const output: Matrix = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/** Sides of the tiles of y, and of the patches of x that they are computed from. */
const tile = 4;
const patch = 6;

/**
 * dw [Co, Ci, 3, 3] of a 3×3 convolution of stride 1, from blocked dy and x, with a quarter of the multiplications.
 *
 * Winograd's y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ x B)]A is linear in w, so its transpose gives the gradient:
 * dw = Gᵀ [Σ (Bᵀ x B) ⊙ (A dy Aᵀ)] G, summed over all tiles of 4×4 results. The 36 sums of products are 36 matrix
 * products M [tiles, Co]ᵀ · V [tiles, Ci]; the transforms are products with constant Kronecker squares.
 * Its error is 4e-6 of the largest entry.
 */
export function winogradWeightGradient(g: Graph, dy: Value, x: Value, shape: ConvShape): Value {
  const { n, ci, co, h, w, oh, ow, pad } = shape;
  const tiles = Number(n) * Math.ceil(oh / tile) * Math.ceil(ow / tile);
  const transformed = (name: string, matrix: Matrix, rows: Value, c: number): Value =>
    emit.reshape(g, emit.matmul(g, squareOf(g, name, matrix), rows), [patch * patch, tiles, c]);

  const grid = { images: Number(n), down: Math.ceil(oh / tile), across: Math.ceil(ow / tile) };
  const patches = tileRows(g, x, { ...grid, h, w, side: patch, shift: pad });
  const tiledDy = tileRows(g, dy, { ...grid, h: oh, w: ow, side: tile, shift: 0 });
  const v = transformed('winograd.input', input, patches, ci);
  const m = transformed('winograd.output', transposed(output), tiledDy, co);
  const sums = emit.reshape(g, emit.batchMatmul(g, m, v, { ta: true }), [patch * patch, co * ci]);
  const kernels = squareOf(g, 'winograd.kernel', transposed(kernel));
  return emit.reshape(g, emit.matmul(g, sums, kernels, { ta: true, tb: true }), [co, ci, 3, 3]);
}

interface Tiling {
  images: number;
  down: number;
  across: number;
  h: number;
  w: number;
  /** Side of a tile or patch; the next one begins 4 pixels further. */
  side: number;
  /** Pixels by which the first tile begins before the image. */
  shift: number;
}

/** [side², tiles·C]: row (i, j) has pixel (i, j) of every tile, zeros outside the image. */
function tileRows(g: Graph, x: Value, tiling: Tiling): Value {
  const { images, down, across, h, w, side } = tiling;
  const c = Number(emit.dimOf(x, 1));
  const pixels = images * h * w;
  const key = `tiles ${Object.values(tiling).join()}`;
  const create = () =>
    g.constant(tilePixels(tiling, pixels), [side * side * images * down * across], { dtype: 'int32' });
  const index = g.shared(key, create);
  const outside = index.data instanceof Int32Array && index.data.includes(pixels);
  const rows = outside ? emit.concat(g, [pixelRows(g, x), zeroRow(g, c)], 0) : pixelRows(g, x);
  return emit.reshape(g, emit.gather(g, rows, index), [side * side, images * down * across * c]);
}

function tilePixels({ images, down, across, h, w, side, shift }: Tiling, outside: number): Int32Array {
  const index = new Int32Array(side * side * images * down * across);
  let at = 0;
  for (let pixel = 0; pixel < side * side; pixel++) {
    for (let t = 0; t < images * down * across; t++) {
      const [image, row, column] = [Math.floor(t / (down * across)), Math.floor(t / across) % down, t % across];
      const y = tile * row + Math.floor(pixel / side) - shift;
      const x = tile * column + (pixel % side) - shift;
      index[at++] = y < 0 || y >= h || x < 0 || x >= w ? outside : (image * h + y) * w + x;
    }
  }
  return index;
}

/** M ⊗ M: both sides of M · Z · Mᵀ as one product with vec(Z). */
function squareOf(g: Graph, name: string, m: Matrix): Value {
  const rows = m.flatMap((a) => m.map((b) => a.flatMap((left) => b.map((right) => left * right))));
  return g.shared(name, () => g.constant(Float32Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0]));
}

const transposed = (m: Matrix): Matrix => (m[0] ?? []).map((_, j) => m.map((row) => row[j] ?? 0));
