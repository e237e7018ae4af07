import type { Picture } from '../../features/images.ts';

/** Interleaved red, green, blue. */
export interface Level {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** An image and its half-size version, for drawing without aliasing. */
export const pyramidOf = ({ pixels, width, height }: Picture): [Level, Level] => {
  const whole = { pixels, width, height };
  return [whole, halved(whole)];
};

function halved({ pixels, width, height }: Level): Level {
  const [w, h] = [Math.max(1, width >> 1), Math.max(1, height >> 1)];
  const [right, down] = [width > 1 ? 3 : 0, height > 1 ? 3 * width : 0];
  const half = new Uint8Array(w * h * 3);
  for (let y = 0; y < h; y++) {
    for (let i = 0; i < 3 * w; i++) {
      const at = 2 * y * width * 3 + Math.floor(i / 3) * 6 + (i % 3);
      const sum =
        (pixels[at] as number) +
        (pixels[at + right] as number) +
        (pixels[at + down] as number) +
        (pixels[at + right + down] as number);
      half[y * w * 3 + i] = (sum + 2) >> 2;
    }
  }
  return { pixels: half, width: w, height: h };
}
