import type { ImageSize } from '../../domain/task.ts';

export const resamplings = ['nearest', 'linear', 'cubic', 'lanczos3'] as const;
export type Resampling = (typeof resamplings)[number];

/** How an image is scaled, and which part of the result is taken. */
export interface PictureFit extends ImageSize {
  resampling: Resampling;
  part?: ImageSize & { left: number; top: number };
}

const channels = 3;

/** Filters by distance, and how far they reach. */
const filters: Readonly<Record<Exclude<Resampling, 'nearest'>, { reach: number; weight(x: number): number }>> = {
  linear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  cubic: { reach: 2, weight: catmullRom },
  lanczos3: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys 1981, with a = −1/2. */
function catmullRom(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/**
 * Scales interleaved red, green, blue as PIL's resize does, which is what pretrained encoders have seen: the filter is stretched by the factor of a
 * reduction, and has the same places for an enlargement. Only the asked part is computed. Returns width × height of the part, or of the whole.
 */
export function resample(pixels: Uint8Array, size: ImageSize, { part, resampling, ...scaled }: PictureFit): Uint8Array {
  const { left, top, width, height } = part ?? { left: 0, top: 0, ...scaled };
  const columns = tapsOf(size.width, scaled.width, { from: left, count: width, resampling });
  const rows = tapsOf(size.height, scaled.height, { from: top, count: height, resampling });
  const [first, last] = [rows.starts[0] as number, (rows.starts[height - 1] as number) + rows.width];
  const lines = new Uint8Array((last - first) * width * channels);
  for (let y = first; y < Math.min(last, size.height); y++) {
    const from = y * size.width * channels;
    filter(pixels, lines, columns, { from, step: channels, to: (y - first) * width * channels });
  }
  const result = new Uint8Array(height * width * channels);
  // each column of colours on its own would jump through memory: rows are summed whole
  const sums = new Float64Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0.5);
    for (let tap = 0; tap < rows.width; tap++) {
      const weight = rows.weights[y * rows.width + tap] as number;
      if (weight === 0) continue;
      const from = ((rows.starts[y] as number) - first + tap) * sums.length;
      for (let i = 0; i < sums.length; i++) sums[i]! += weight * (lines[from + i] as number);
    }
    for (let i = 0; i < sums.length; i++) result[y * sums.length + i] = clipped(sums[i] as number);
  }
  return result;
}

/** For each place of a line, where its taps start, and their weights, as many for each place. */
interface Taps {
  starts: Int32Array;
  weights: Float64Array;
  width: number;
}

function tapsOf(
  source: number,
  target: number,
  { from, count, resampling }: { from: number; count: number; resampling: Resampling },
): Taps {
  const scale = source / target;
  const starts = new Int32Array(count);
  if (resampling === 'nearest') {
    for (let i = 0; i < count; i++) starts[i] = Math.min(source - 1, Math.floor((from + i + 0.5) * scale));
    return { starts, weights: new Float64Array(count).fill(1), width: 1 };
  }
  const { reach, weight } = filters[resampling];
  const stretch = Math.max(1, scale);
  const width = Math.min(source, 2 * Math.ceil(reach * stretch) + 1);
  const weights = new Float64Array(count * width);
  for (let i = 0; i < count; i++) {
    const center = (from + i + 0.5) * scale;
    const start = Math.max(0, Math.min(source - width, Math.floor(center - reach * stretch)));
    starts[i] = start;
    let sum = 0;
    for (let tap = 0; tap < width; tap++) {
      const own = weight((start + tap + 0.5 - center) / stretch);
      weights[i * width + tap] = own;
      sum += own;
    }
    for (let tap = 0; tap < width; tap++) weights[i * width + tap]! /= sum;
  }
  return { starts, weights, width };
}

/** One row of pixels. */
function filter(
  pixels: Uint8Array,
  lines: Uint8Array,
  { starts, weights, width }: Taps,
  { from, step, to }: { from: number; step: number; to: number },
): void {
  for (let i = 0; i < starts.length; i++) {
    let [red, green, blue] = [0.5, 0.5, 0.5];
    for (let tap = 0; tap < width; tap++) {
      const weight = weights[i * width + tap] as number;
      const at = from + ((starts[i] as number) + tap) * step;
      red += weight * (pixels[at] as number);
      green += weight * (pixels[at + 1] as number);
      blue += weight * (pixels[at + 2] as number);
    }
    lines[to + i * step] = clipped(red);
    lines[to + i * step + 1] = clipped(green);
    lines[to + i * step + 2] = clipped(blue);
  }
}

/** Half is added already. */
const clipped = (value: number): number => (value <= 0 ? 0 : value >= 255 ? 255 : Math.floor(value));
