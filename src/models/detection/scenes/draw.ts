import type { Level } from '../scale-pyramid.ts';
import type { ColourChange } from './colour.ts';

/** Part of the canvas. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Where on the canvas an image comes to lie; it may reach beyond. */
export interface Placement {
  left: number;
  top: number;
  width: number;
  height: number;
  mirrored: boolean;
}

export interface Sheet {
  /** [3, side, side] bytes, rounded and kept within 0…255 as they are written. */
  planes: Uint8ClampedArray;
  side: number;
}

/** Between which two pixels of an axis each place of the canvas lies, in bytes of a row, and how near the second, in [0, 1). */
interface SourcePixels {
  first: number;
  last: number;
  before: Int32Array;
  after: Int32Array;
  share: Float32Array;
}

/**
 * Draws an image into an area of the canvas by bilinear sampling. Nothing is turned, so that columns and rows are worked
 * out once each.
 */
export function draw(
  level: Level,
  sheet: Sheet,
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

function drawRow({ pixels, width }: Level, { planes, side }: Sheet, { y, across, rows, colour }: CanvasRow): void {
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
    const same = grey * (0.3 * r + 0.59 * g + 0.11 * l) + shift;
    const at = y * side + x;
    planes[at] = red * r + same;
    planes[at + plane] = green * g + same;
    planes[at + 2 * plane] = blue * l + same;
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
    const along = ((i + 0.5 - start) * pixels) / length;
    const place = Math.min(pixels - 1, Math.max(0, (mirrored ? pixels - along : along) - 0.5));
    before[i] = 3 * Math.floor(place);
    after[i] = 3 * Math.min(pixels - 1, Math.floor(place) + 1);
    share[i] = place - Math.floor(place);
  }
  return { first, last, before, after, share };
}
