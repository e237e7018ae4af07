import { outsidePixel } from '../../features/images.ts';

export interface ImageShift {
  width: number;
  height: number;
  /** Pixels. */
  down: number;
  right: number;
  /** Whether left and right are swapped, before the shift. */
  mirrored: boolean;
}

/** Writes the image `from`, [C, H, W], to `to`, shifted by whole pixels. */
export function shiftImage(
  from: Uint8Array,
  to: Uint8Array,
  { width, height, down, right, mirrored }: ImageShift,
): void {
  to.fill(outsidePixel);
  const [first, last] = [Math.max(0, right), Math.min(width, width + right)];
  const step = mirrored ? -1 : 1;
  for (let start = 0; start < to.length; start += width * height) {
    for (let y = Math.max(0, down); y < Math.min(height, height + down); y++) {
      let source = start + (y - down) * width + (mirrored ? width - 1 - first + right : first - right);
      for (let at = start + y * width + first; at < start + y * width + last; at++) {
        to[at] = from[source] as number;
        source += step;
      }
    }
  }
}

/** Positions between pixels have 8 fractional bits, so that all arithmetic is on small integers. */
const bits = 8;
const unit = 1 << bits;
const half = unit / 2;
const rounding = 1 << (2 * bits - 1);

/** Like `shiftImage`, with a rotation about the centre between mirroring and shift, by bilinear interpolation. */
export function rotateImage(
  from: Uint8Array,
  to: Uint8Array,
  { degrees, ...shift }: ImageShift & { degrees: number },
): void {
  const { width, height, down, right, mirrored } = shift;
  const plane = width * height;
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle) * unit, Math.sin(angle) * unit];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const [lastX, lastY] = [(width - 1) * unit - 1, (height - 1) * unit - 1]; // before the last pixel, so that each has a neighbour
  const side = mirrored ? -1 : 1;
  for (let y = 0; y < height; y++) {
    const dy = y - down - middleY;
    for (let x = 0; x < width; x++) {
      const dx = x - right - middleX;
      const u = Math.round(middleX * unit + side * (cos * dx + sin * dy));
      const v = Math.round(middleY * unit + cos * dy - sin * dx);
      const outside = u < -half || v < -half || u > lastX + half || v > lastY + half;
      const column = Math.min(Math.max(u, 0), lastX);
      const row = Math.min(Math.max(v, 0), lastY);
      const a = column & (unit - 1);
      const b = row & (unit - 1);
      let source = (row >> bits) * width + (column >> bits);
      for (let at = y * width + x; at < to.length; at += plane) {
        const top = (from[source] as number) * (unit - a) + (from[source + 1] as number) * a;
        const bottom = (from[source + width] as number) * (unit - a) + (from[source + width + 1] as number) * a;
        to[at] = outside ? outsidePixel : (top * (unit - b) + bottom * b + rounding) >> (2 * bits);
        source += plane;
      }
    }
  }
}
