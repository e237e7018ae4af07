import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { unfit } from './state.ts';

/**
 * `pca`: uncorrelated values of variance 1 instead of colours; `zca`: those rotated back, so that the result is an
 * image.
 */
export const whitenings = ['none', 'pca', 'zca'] as const;
export type WhiteningName = (typeof whitenings)[number];

/** A convolution that whitens standardised images. */
export interface Whitening {
  /** [outputs, 3, size, size], row-major. */
  shape: [number, number, number, number];
  weights: number[];
}

/**
 * Side of the patches: with 75 values per patch ZCA's filters have vanished at the edge, and PCA's number grows with
 * it.
 */
const sides = { pca: 3, zca: 5 } as const;
/** Number of PCA components of 3×3 patches: on CIFAR-10 they have 99.9 % of the variance. */
const components = 12;
/** Added to each variance, so that components of low variance, mainly noise, are amplified at most tenfold. */
const epsilon = 0.01;
/** Grid positions per axis at which patches of an image are sampled. */
const gridPerSide = 4;

const colours = 3;

/**
 * Whitening by patches (Coates, Lee and Ng 2011, section 3.2; Krizhevsky 2009, appendix A, on the whole image). With
 * E Λ Eᵀ the covariance of patches of k×k pixels: PCA maps a patch x to (Λ + ε)^-½ Eᵀx, of which the first rows are kept;
 * ZCA to E (Λ + ε)^-½ Eᵀx, of which the three rows of the centre pixel are kept. Both are one convolution. Because the statistics
 * of photographs are the same at all positions, this equals whitening of the whole image in its inner pixels, with 75² sums of
 * products instead of 3072², and it is independent of the image's side.
 *
 * `images` [N, 3, side, side] are standardised.
 */
export function fitWhitening(images: Float32Array, side: number, name: 'pca' | 'zca'): Whitening {
  const size = sides[name];
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance(images, side, size), {
    assumeSymmetric: true,
  });
  const axes = realEigenvalues.map((variance, i): PrincipalAxis => {
    const scale = 1 / Math.sqrt(Math.max(0, variance) + epsilon);
    return {
      variance,
      of: eigenvectorMatrix.getColumn(i),
      scaled: eigenvectorMatrix.getColumn(i).map((e) => e * scale),
    };
  });
  const rows = name === 'pca' ? largest(axes) : centrePixels(size).map((centre) => zcaRow(axes, centre));
  return { shape: [rows.length, colours, size, size], weights: rows.flat() };
}

/** A column of E, and the same divided by √(Λ + ε). */
interface PrincipalAxis {
  variance: number;
  of: number[];
  scaled: number[];
}

const largest = (axes: readonly PrincipalAxis[]): number[][] =>
  [...axes]
    .sort((a, b) => b.variance - a.variance)
    .slice(0, components)
    .map(({ scaled }) => scaled);

/** One row of E (Λ + ε)^-½ Eᵀ. */
const zcaRow = (axes: readonly PrincipalAxis[], row: number): number[] =>
  axes.map((_, i) => axes.reduce((sum, { of, scaled }) => sum + (of[row] ?? 0) * (scaled[i] ?? 0), 0));

/** Index of the centre pixel in a patch [3, size, size], for each colour. */
const centrePixels = (size: number): number[] =>
  Array.from({ length: colours }, (_, colour) => colour * size * size + Math.floor((size * size) / 2));

/** Computed from patches on a grid over each image. Standardised images have mean 0, and so have their patches. */
function covariance(images: Float32Array, side: number, size: number): Matrix {
  const length = colours * size * size;
  const sums = new Float64Array(length * length);
  const patch = new Float64Array(length);
  const stride = Math.max(1, Math.floor((side - size + 1) / gridPerSide));
  let count = 0;
  for (let start = 0; start < images.length; start += colours * side * side) {
    for (let top = 0; top + size <= side; top += stride) {
      for (let left = 0; left + size <= side; left += stride) {
        readPatch(images.subarray(start), patch, { side, size, top, left });
        addSquare(sums, patch);
        count++;
      }
    }
  }
  const entry = (i: number, j: number): number => (sums[Math.max(i, j) * length + Math.min(i, j)] ?? 0) / count;
  return new Matrix(Array.from({ length }, (_, i) => Array.from({ length }, (__, j) => entry(i, j))));
}

interface PatchPosition {
  side: number;
  size: number;
  top: number;
  left: number;
}

function readPatch(image: Float32Array, patch: Float64Array, { side, size, top, left }: PatchPosition): void {
  let at = 0;
  for (let colour = 0; colour < colours; colour++) {
    for (let y = top; y < top + size; y++) {
      const start = (colour * side + y) * side + left;
      for (let x = start; x < start + size; x++) patch[at++] = image[x] as number;
    }
  }
}

/** sums += patch · patchᵀ, lower triangle only. */
function addSquare(sums: Float64Array, patch: Float64Array): void {
  const { length } = patch;
  for (let i = 0; i < length; i++) {
    const value = patch[i] as number;
    for (let j = 0; j <= i; j++) sums[i * length + j]! += value * (patch[j] as number);
  }
}

/** Reads the result of `fitWhitening` from storage; undefined for images that are not whitened. */
export function readWhitening(state: Record<string, unknown>): Whitening | null {
  const stored = state['whitening'];
  if (stored === undefined) return null;
  if (isWhitening(stored)) return stored;
  throw unfit('whitening', 'a convolution');
}

function isWhitening(stored: unknown): stored is Whitening {
  if (typeof stored !== 'object' || stored === null || !('shape' in stored) || !('weights' in stored)) return false;
  const { shape, weights } = stored;
  const numbers = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((n) => typeof n === 'number');
  return (
    numbers(shape) && shape.length === 4 && numbers(weights) && weights.length === shape.reduce((a, b) => a * b, 1)
  );
}
