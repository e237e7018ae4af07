import { cutOff, type FramedObject } from '../../../domain/kinds/detection.ts';
import { outsidePixel } from '../../../features/images.ts';
import type { Rng } from '../../../runtime/rng.ts';
import type { Level } from '../scale-pyramid.ts';
import { randomColourChange } from './colour.ts';
import { type Area, drawImage, type Placement } from './draw.ts';

/** A training image at full and half size, and its objects in pixels of the first. */
export interface Scene {
  levels: readonly [Level, Level];
  objects: readonly FramedObject[];
}

/** Maximum changes of scenes; 0 is none. */
export interface SceneKnobs {
  flip: boolean;
  /** Maximum scaling, as an exponent: e^±zoom. */
  zoom: number;
  /** Maximum change of the aspect ratio, as an exponent. */
  aspect: number;
  colour: number;
  /** Share of images that are mosaics of four. */
  mosaic: number;
}

export interface Canvas extends SceneKnobs {
  /** [3, side, side], the output. */
  planes: Uint8ClampedArray;
  side: number;
  rng: Rng;
}

/** Objects with a smaller visible share are marked as cut off. */
const MIN_VISIBLE = 0.3;

/** Objects with a smaller visible share are left out. */
const MIN_CUT = 0.02;

/** Fills the canvas with scene `row`, or with a mosaic of it and three others; returns the objects in it. */
export function compose(scenes: readonly Scene[], row: number, canvas: Canvas): FramedObject[] {
  const { planes, side, rng, mosaic } = canvas;
  planes.fill(outsidePixel);
  const scene = scenes[row] as Scene;
  const whole = { left: 0, top: 0, right: side, bottom: side };
  if (rng.uniform() >= mosaic) return drawScene(scene, whole, canvas);
  const others = [0, 1, 2].map(() => scenes[rng.below(scenes.length)] as Scene);
  const [x, y] = [split(side, rng), split(side, rng)];
  const quarters: Area[] = [
    { left: 0, top: 0, right: x, bottom: y },
    { left: x, top: 0, right: side, bottom: y },
    { left: 0, top: y, right: x, bottom: side },
    { left: x, top: y, right: side, bottom: side },
  ];
  const first = rng.below(4); // scene `row` is in a random quarter
  return quarters.flatMap((area, i) => drawScene([scene, ...others][(i + first) % 4] as Scene, area, canvas));
}

const split = (side: number, rng: Rng): number => Math.round(side * (0.3 + 0.4 * rng.uniform()));

/** Draws a scene at a random size and position of an area; returns its objects' positions there. */
function drawScene(
  scene: Scene,
  area: Area,
  { planes, side, rng, flip, zoom, aspect, colour }: Canvas,
): FramedObject[] {
  const [whole, half] = scene.levels;
  const [w, h] = [area.right - area.left, area.bottom - area.top];
  const fit = Math.min(w / whole.width, h / whole.height) * Math.exp(zoom * symmetric(rng));
  const stretch = Math.exp((aspect * symmetric(rng)) / 2);
  const [width, height] = [whole.width * fit * stretch, (whole.height * fit) / stretch];
  const placement: Placement = {
    left: area.left + randomOffset(w - width, rng),
    top: area.top + randomOffset(h - height, rng),
    width,
    height,
    mirrored: flip && rng.uniform() < 0.5,
  };
  const level = whole.width > 2 * width ? half : whole;
  drawImage(level, { planes, side }, { area, placement, colour: randomColourChange(colour, rng) });
  return scene.objects.flatMap((object) => clipObject(placeObject(object, whole, placement), area));
}

/** Uniform in [−1, 1). */
const symmetric = (rng: Rng): number => 2 * rng.uniform() - 1;

/** Uniform between 0 and `room`, which is negative if the scene is larger than its area. */
const randomOffset = (room: number, rng: Rng): number => room * rng.uniform();

function placeObject(
  { label, left, top, right, bottom }: FramedObject,
  { width, height }: Level,
  to: Placement,
): FramedObject {
  const x = (at: number): number => to.left + (to.width * (to.mirrored ? width - at : at)) / width;
  const y = (at: number): number => to.top + (to.height * at) / height;
  const [a, b] = [x(left), x(right)];
  return { label, left: Math.min(a, b), top: y(top), right: Math.max(a, b), bottom: y(bottom) };
}

/** The part of an object within the area, marked if it is a small one; empty if it is too small. */
function clipObject(object: FramedObject, area: Area): FramedObject[] {
  const left = Math.max(object.left, area.left);
  const top = Math.max(object.top, area.top);
  const right = Math.min(object.right, area.right);
  const bottom = Math.min(object.bottom, area.bottom);
  if (right - left < 2 || bottom - top < 2) return [];
  const whole = (object.right - object.left) * (object.bottom - object.top);
  const visible = ((right - left) * (bottom - top)) / whole;
  if (visible < MIN_CUT) return [];
  return [{ label: visible < MIN_VISIBLE ? cutOff : object.label, left, top, right, bottom }];
}
