import type { FramedObject } from '../../../domain/kinds/detection.ts';
import { grey } from '../../../features/scenes.ts';
import type { Rng } from '../../../runtime/rng.ts';
import type { Level } from '../scale-pyramid.ts';
import { colourOf } from './colour.ts';
import { type Area, draw, type Placement } from './draw.ts';

/** A training image: itself and itself halved, and its objects in pixels of the first. */
export interface Scene {
  levels: readonly [Level, Level];
  objects: readonly FramedObject[];
}

/** How much scenes may be changed; 0 leaves them as they are. */
export interface SceneKnobs {
  flip: boolean;
  /** Largest growth or shrinking, as an exponent: e^zoom. */
  zoom: number;
  /** Largest stretching of one axis against the other, as an exponent. */
  aspect: number;
  colour: number;
  /** Share of images that are joined from four. */
  mosaic: number;
}

export interface Canvas extends SceneKnobs {
  /** [3, side, side], to be filled. */
  planes: Uint8ClampedArray;
  side: number;
  rng: Rng;
}

/** An object of which less is left in the picture is not to be found. */
const minLeft = 0.3;

/** Fills the canvas with scene `row`, or with a mosaic of it and three others; returns the objects in it. */
export function compose(scenes: readonly Scene[], row: number, canvas: Canvas): FramedObject[] {
  const { planes, side, rng, mosaic } = canvas;
  planes.fill(grey);
  const scene = scenes[row] as Scene;
  const whole = { left: 0, top: 0, right: side, bottom: side };
  if (rng.uniform() >= mosaic) return place(scene, whole, canvas);
  const others = [0, 1, 2].map(() => scenes[rng.below(scenes.length)] as Scene);
  const [x, y] = [split(side, rng), split(side, rng)];
  const quarters: Area[] = [
    { left: 0, top: 0, right: x, bottom: y },
    { left: x, top: 0, right: side, bottom: y },
    { left: 0, top: y, right: x, bottom: side },
    { left: x, top: y, right: side, bottom: side },
  ];
  const first = rng.below(4); // the scene asked for takes any of the places
  return quarters.flatMap((area, i) => place([scene, ...others][(i + first) % 4] as Scene, area, canvas));
}

const split = (side: number, rng: Rng): number => Math.round(side * (0.3 + 0.4 * rng.uniform()));

/** Draws a scene at a random size and place of an area, and says where its objects came to lie. */
function place(scene: Scene, area: Area, { planes, side, rng, flip, zoom, aspect, colour }: Canvas): FramedObject[] {
  const [whole, half] = scene.levels;
  const [w, h] = [area.right - area.left, area.bottom - area.top];
  const fit = Math.min(w / whole.width, h / whole.height) * Math.exp(zoom * spread(rng));
  const stretch = Math.exp((aspect * spread(rng)) / 2);
  const [width, height] = [whole.width * fit * stretch, (whole.height * fit) / stretch];
  const placement: Placement = {
    left: area.left + slack(w - width, rng),
    top: area.top + slack(h - height, rng),
    width,
    height,
    mirrored: flip && rng.uniform() < 0.5,
  };
  const level = whole.width > 2 * width ? half : whole;
  draw(level, { planes, side }, { area, placement, colour: colourOf(colour, rng) });
  return scene.objects.flatMap((object) => cut(moved(object, whole, placement), area));
}

/** Uniform in [−1, 1). */
const spread = (rng: Rng): number => 2 * rng.uniform() - 1;

/** Where in the room that is left, or which part where there is none. */
const slack = (room: number, rng: Rng): number => room * rng.uniform();

function moved(
  { label, left, top, right, bottom }: FramedObject,
  { width, height }: Level,
  to: Placement,
): FramedObject {
  const x = (at: number): number => to.left + (to.width * (to.mirrored ? width - at : at)) / width;
  const y = (at: number): number => to.top + (to.height * at) / height;
  const [a, b] = [x(left), x(right)];
  return { label, left: Math.min(a, b), top: y(top), right: Math.max(a, b), bottom: y(bottom) };
}

/** What of an object lies within the area; nothing where too little is left of it. */
function cut(object: FramedObject, area: Area): FramedObject[] {
  const left = Math.max(object.left, area.left);
  const top = Math.max(object.top, area.top);
  const right = Math.min(object.right, area.right);
  const bottom = Math.min(object.bottom, area.bottom);
  if (right - left < 2 || bottom - top < 2) return [];
  const whole = (object.right - object.left) * (object.bottom - object.top);
  return (right - left) * (bottom - top) < minLeft * whole ? [] : [{ label: object.label, left, top, right, bottom }];
}
