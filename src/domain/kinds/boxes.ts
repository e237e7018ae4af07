import { BadData } from '../../errors/errors.ts';
import { checkLabel } from '../class-limits.ts';
import type { ImageSize } from '../task.ts';

/** An object in an image of the source, in pixels from the top left corner of the upright image. */
export interface NamedBox {
  label: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Tolerance for boxes outside the image, due to rounding; they are clipped. */
const OVERHANG = 1;

const keys = ['label', 'x', 'y', 'w', 'h'];
const hint = 'Boxes are an array of {"label": text, "x": …, "y": …, "w": …, "h": …} in pixels of the upright image.';

export const isBox = (value: unknown): value is NamedBox =>
  typeof value === 'object' && value !== null && keys.every((key) => key in value);

/** The value of a box column, checked and clipped to its image; an empty array is an image without objects. */
export function checkBoxes(value: unknown, size: ImageSize): NamedBox[] {
  if (!Array.isArray(value)) throw new BadData('the boxes of an image are not an array', { hint });
  return value.map((box: unknown, i) => clip(checkBox(box, i + 1), { number: i + 1, size }));
}

function checkBox(value: unknown, number: number): NamedBox {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unfit(number, `is ${JSON.stringify(value).slice(0, 40)} and not an object`);
  const fields = new Map<string, unknown>(Object.entries(value));
  const strange = [...fields.keys()].find((key) => !keys.includes(key));
  if (strange !== undefined) throw unfit(number, `has the unknown key "${strange.slice(0, 40)}"`);
  const label = fields.get('label');
  if (typeof label !== 'string' || label === '') throw unfit(number, 'has no label, which is a text');
  checkLabel(label);
  const pixels = (key: string): number => {
    const field = fields.get(key);
    if (typeof field === 'number' && Number.isFinite(field)) return field;
    throw unfit(number, field === undefined ? `has no ${key}` : `has a ${key} that is not a number`);
  };
  return { label, x: pixels('x'), y: pixels('y'), w: pixels('w'), h: pixels('h') };
}

function clip({ label, x, y, w, h }: NamedBox, { number, size }: { number: number; size: ImageSize }): NamedBox {
  if (w <= 0 || h <= 0) throw unfit(number, `has a size of ${w} × ${h}, which must be positive`);
  const { width, height } = size;
  const outside = x < -OVERHANG || y < -OVERHANG || x + w > width + OVERHANG || y + h > height + OVERHANG;
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const [right, bottom] = [Math.min(width, x + w), Math.min(height, y + h)];
  if (outside || right <= left || bottom <= top)
    throw unfit(number, `spans ${x} to ${x + w} by ${y} to ${y + h}, and the image is ${width} × ${height}`);
  return { label, x: left, y: top, w: right - left, h: bottom - top };
}

const unfit = (number: number, fault: string): BadData =>
  new BadData('a box cannot be used', { detail: `Box ${number} ${fault}.`, hint });
