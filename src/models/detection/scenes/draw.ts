import type { Level } from '../scale-pyramid.ts';
import type { ColourChange } from './colour.ts';

/** Part of the canvas. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Position of an image on the canvas, which may be partly outside. */
export interface Placement {
  left: number;
  top: number;
  width: number;
  height: number;
  mirrored: boolean;
}

export interface CanvasPixels {
  /** [3, side, side] bytes, rounded and clamped to 0…255 on writing. */
  planes: Uint8ClampedArray;
  side: number;
}

/** For each pixel of the canvas on one axis: the source pixels before and after it, as byte offsets in a row, and the weight of the second, in [0, 1). */
interface SourcePixels {
  first: number;
  last: number;
  before: Int32Array;
  after: Int32Array;
  share: Float32Array;
}

/**
 * Draws an image into an area of the canvas by bilinear sampling. Without rotation, positions of columns and rows are computed
 * once each.
 */
export function drawImage(
  level: Level,
  sheet: CanvasPixels,
  { area, placement, colour }: { area: Area; placement: Placement; colour: ColourChange },
): void {
  const { left, top, width, height, mirrored } = placement;
  const across = axisOf({ from: area.left, to: area.right }, { start: left, length: width, mirrored }, level.width);
  const down = axisOf(
    { from: area.top, to: area.bottom },
    { start: top, length: height, mirrored: false },
    level.height,
  );
  for (let y = down.first; y < down.last; y++) {
    const rows = { upper: down.before[y] as number, lower: down.after[y] as number, share: down.share[y] as number };
    drawRow(level, sheet, { y, across, rows, colour });
  }
}

interface CanvasRow {
  y: number;
  across: SourcePixels;
  rows: { upper: number; lower: number; share: number };
  colour: ColourChange;
}

function drawRow(
  { pixels, width }: Level,
  { planes, side }: CanvasPixels,
  { y, across, rows, colour }: CanvasRow,
): void {
  const { first, last, before, after, share } = across;
  const upper = rows.upper * width;
  const lower = rows.lower * width;
  const v = rows.share;
  const { grey, shift } = colour;
  const [red, green, blue] = colour.gains;
  const plane = side * side;
  for (let x = first; x < last; x++) {
    const u = share[x]!;
    const a = upper + before[x]!;
    const b = upper + after[x]!;
    const c = lower + before[x]!;
    const d = lower + after[x]!;
    const wa = (1 - u) * (1 - v);
    const wb = u * (1 - v);
    const wc = (1 - u) * v;
    const wd = u * v;
    const r = pixels[a]! * wa + pixels[b]! * wb + pixels[c]! * wc + pixels[d]! * wd;
    const g = pixels[a + 1]! * wa + pixels[b + 1]! * wb + pixels[c + 1]! * wc + pixels[d + 1]! * wd;
    const l = pixels[a + 2]! * wa + pixels[b + 2]! * wb + pixels[c + 2]! * wc + pixels[d + 2]! * wd;
    const common = grey * (0.3 * r + 0.59 * g + 0.11 * l) + shift;
    const at = y * side + x;
    planes[at] = red * r + common;
    planes[at + plane] = green * g + common;
    planes[at + 2 * plane] = blue * l + common;
  }
}

function axisOf(
  { from, to }: { from: number; to: number },
  { start, length, mirrored }: { start: number; length: number; mirrored: boolean },
  pixels: number,
): SourcePixels {
  const first = Math.max(from, Math.ceil(start - 0.5));
  const last = Math.min(to, Math.floor(start + length + 0.5));
  const [before, after, share] = [new Int32Array(to), new Int32Array(to), new Float32Array(to)];
  for (let i = first; i < last; i++) {
    const position = ((i + 0.5 - start) * pixels) / length;
    const source = Math.min(pixels - 1, Math.max(0, (mirrored ? pixels - position : position) - 0.5));
    before[i] = 3 * Math.floor(source);
    after[i] = 3 * Math.min(pixels - 1, Math.floor(source) + 1);
    share[i] = source - Math.floor(source);
  }
  return { first, last, before, after, share };
}
