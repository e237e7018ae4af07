import type { ForeignTensor } from '../../engine/foreign/session.ts';
import { decodeSized } from '../../features/images.ts';
import type { PicturesPlan } from '../plan.ts';

/** Image files → the tensor of a graph. */
export async function pictureFeeds(
  files: readonly Uint8Array[],
  plan: PicturesPlan,
): Promise<Record<string, ForeignTensor>> {
  const { name, type, height, width, layout, channels } = plan;
  const colours = channels === 'grey' ? 1 : 3;
  const size = colours * height * width;
  const data = type === 'uint8' ? new Uint8Array(files.length * size) : new Float32Array(files.length * size);
  for (const [row, file] of files.entries())
    fill(data.subarray(row * size, (row + 1) * size), await pixelsOf(file, plan), plan);
  const frame = layout === 'nchw' ? [colours, height, width] : [height, width, colours];
  return { [name]: { type, shape: [files.length, ...frame], data } };
}

/** Interleaved red, green and blue of the plan's size. */
async function pixelsOf(file: Uint8Array, { height, width, resize, fit }: PicturesPlan): Promise<Uint8Array> {
  if (resize === null || fit === 'stretch')
    return decodeSized(file, { width, height }, fit === 'crop' ? 'cover' : 'fill');
  const side = Math.max(resize, height, width);
  const whole = await decodeSized(file, { width: side, height: side }, 'cover');
  const [top, left] = [(side - height) >> 1, (side - width) >> 1];
  const middle = new Uint8Array(3 * height * width);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * side + left);
    middle.set(whole.subarray(from, from + 3 * width), 3 * y * width);
  }
  return middle;
}

/** Of ITU-R BT.601, as most libraries make pictures grey. */
const luma = [0.299, 0.587, 0.114];

function fill(target: Float32Array | Uint8Array, pixels: Uint8Array, plan: PicturesPlan): void {
  const { type, layout, channels, scale, mean, std } = plan;
  const area = pixels.length / 3;
  const colours = channels === 'grey' ? 1 : 3;
  for (let c = 0; c < colours; c++) {
    const source = channels === 'bgr' ? 2 - c : c;
    const [shift, spread] = [mean[c] ?? mean[0] ?? 0, std[c] ?? std[0] ?? 1];
    for (let i = 0; i < area; i++) {
      const pixel = colours === 1 ? grey(pixels, i) : (pixels[3 * i + source] as number);
      const place = layout === 'nchw' ? c * area + i : i * colours + c;
      target[place] = type === 'uint8' ? Math.round(pixel) : (pixel / scale - shift) / spread;
    }
  }
}

const grey = (pixels: Uint8Array, i: number): number =>
  luma.reduce((sum, share, c) => sum + share * (pixels[3 * i + c] as number), 0);
