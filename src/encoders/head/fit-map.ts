import { loadModel } from '../../engine/inference.ts';
import type { Rng } from '../../runtime/rng.ts';
import { whiteningOf } from './cholesky.ts';
import {
  type HeadKernel,
  type KernelMap,
  mapFile,
  mappedWidth,
  type Preparation,
  type VectorNormalisation,
} from './kernel-map.ts';

export interface MapSettings {
  kernel: 'linear' | 'rbf' | 'polynomial';
  /** As a multiple of 1 / the mean squared distance of two vectors for rbf; of 1 / their mean squared length for polynomials. */
  gamma: number;
  degree: number;
  landmarks: number;
  normalisation: VectorNormalisation;
}

/** Training vectors, [rows, width]. */
export interface Vectors {
  data: Float32Array;
  rows: number;
  width: number;
}

/** Added to the kernel's diagonal of 1: equal landmarks, and the rounding of single floats. */
const JITTER = 1e-4;
/** Numbers of all mapped rows together: half a gigabyte. */
const MAX_MAPPED = 2 ** 27;
const MIN_LANDMARKS = 64;
const ROWS_PER_RUN = 1024;

/** The map of a kernel, with landmarks among the training rows. */
export async function fitMap(
  vectors: Vectors,
  settings: MapSettings,
  { rng, threads }: { rng: Rng; threads: number },
): Promise<KernelMap> {
  const preparation = preparationOf(vectors, settings.normalisation);
  const bare: KernelMap = { width: vectors.width, preparation, kernel: { kind: 'linear' } };
  if (settings.kernel === 'linear') return bare;
  const room = Math.max(MIN_LANDMARKS, Math.floor(MAX_MAPPED / Math.max(1, vectors.rows)));
  const count = Math.min(settings.landmarks, vectors.rows, room);
  const chosen = chooseRows(vectors, count, rng);
  const prepared = await mapRows(bare, { ...vectors, data: chosen, rows: count }, threads);
  const kernel = kernelOf(settings, prepared, count);
  const landmarks = { vectors: prepared, count, whitening: new Float32Array(0) };
  const file = mapFile({ ...bare, preparation: { kind: 'none' }, kernel, landmarks }, { whitens: false });
  const products = await runRows(file, { ...vectors, data: prepared, rows: count }, { threads, columns: count });
  return { ...bare, kernel, landmarks: { ...landmarks, whitening: whiteningOf(products, count, JITTER) } };
}

/** φ of each row, [rows, mapped width]. */
export const mapRows = (map: KernelMap, vectors: Vectors, threads: number): Promise<Float32Array> =>
  map.landmarks === undefined && map.preparation.kind === 'none'
    ? Promise.resolve(vectors.data)
    : runRows(mapFile(map, { whitens: true }), vectors, { threads, columns: mappedWidth(map) });

async function runRows(
  file: Uint8Array,
  { data, rows, width }: Vectors,
  { threads, columns }: { threads: number; columns: number },
): Promise<Float32Array> {
  const model = await loadModel(file, { threads });
  try {
    const mapped = new Float32Array(rows * columns);
    for (let from = 0; from < rows; from += ROWS_PER_RUN) {
      const to = Math.min(rows, from + ROWS_PER_RUN);
      const part = data.subarray(from * width, to * width);
      const { data: y } = await model.run({ x: { dtype: 'float32', shape: [to - from, width], data: part } });
      mapped.set(y as Float32Array, from * columns);
    }
    return mapped;
  } finally {
    await model.release();
  }
}

const preparationOf = (vectors: Vectors, kind: VectorNormalisation): Preparation =>
  kind === 'standard' ? { kind, ...standardOf(vectors) } : { kind };

/** Of each number of vectors its mean, and the factor that makes its variance 1 / width. */
export function standardOf({ data, rows, width }: Vectors): { mean: Float32Array; scale: Float32Array } {
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)];
  for (let i = 0; i < data.length; i++) {
    sums[i % width]! += data[i] as number;
    squares[i % width]! += (data[i] as number) ** 2;
  }
  const mean = Float32Array.from(sums, (sum) => sum / rows);
  const scale = Float32Array.from(squares, (sum, i) => {
    const variance = sum / rows - (sums[i]! / rows) ** 2;
    return variance > 1e-12 ? 1 / Math.sqrt(variance * width) : 0; // a number that is always the same says nothing
  });
  return { mean, scale };
}

/** `count` different rows. */
function chooseRows({ data, rows, width }: Vectors, count: number, rng: Rng): Float32Array {
  const order = Int32Array.from({ length: rows }, (_, row) => row);
  const chosen = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(rng.uniform() * (rows - i));
    [order[i], order[other]] = [order[other] as number, order[i] as number];
    const row = order[i] as number;
    chosen.set(data.subarray(row * width, (row + 1) * width), i * width);
  }
  return chosen;
}

/** γ in units of the data, from the landmarks: their mean squared length, and around their mean. */
function kernelOf({ kernel, gamma, degree }: MapSettings, vectors: Float32Array, count: number): HeadKernel {
  const width = vectors.length / count;
  const sums = new Float64Array(width);
  let square = 0;
  for (let i = 0; i < vectors.length; i++) {
    sums[i % width]! += (vectors[i] as number) / count;
    square += (vectors[i] as number) ** 2 / count;
  }
  if (kernel === 'polynomial')
    return { kind: 'polynomial', gamma: gamma / Math.max(square, 1e-12), degree, scale: gamma + 1 };
  const variance = square - sums.reduce((sum, mean) => sum + mean * mean, 0);
  return { kind: 'rbf', gamma: gamma / Math.max(2 * variance, 1e-12) };
}
