import type { Box } from './task.ts';

/** A detected box, in pixels of the source. */
export interface Detection extends Box {
  /** In (0, 1]. */
  score: number;
}

export interface PrecisionTarget {
  /** The index of the class. */
  label: number;
  /** Minimum intersection over union of a detection with its object. */
  overlap: number;
}

/**
 * Average precision of one class over images as in PASCAL VOC 2010 and later (Everingham et al. 2015, section 4.2.1): the
 * detections of all images are ranked by score, each is a hit if the object that it overlaps most was not found by a better
 * detection; the result is the area under precision over recall, with precision made monotone from the right. Null for a
 * class without objects.
 */
export function averagePrecision(
  found: readonly (readonly Detection[])[],
  actual: readonly (readonly Box[])[],
  target: PrecisionTarget,
): number | null {
  const objects = actual.map((boxes) => boxes.filter((box) => box.label === target.label));
  const total = objects.reduce((sum, boxes) => sum + boxes.length, 0);
  if (total === 0) return null;
  const hits = hitsOf(found, objects, target);
  return areaUnder(hits, total);
}

/** For each detection of the class, best first: whether it found an object. */
function hitsOf(
  found: readonly (readonly Detection[])[],
  objects: readonly (readonly Box[])[],
  { label, overlap }: PrecisionTarget,
): boolean[] {
  const taken = objects.map((boxes) => new Uint8Array(boxes.length));
  const ranked = found.flatMap((detections, image) =>
    detections.filter((one) => one.label === label).map((one) => ({ one, image })),
  );
  ranked.sort((a, b) => b.one.score - a.one.score);
  return ranked.map(({ one, image }) => {
    const overlaps = (objects[image] ?? []).map((object) => intersectionOverUnion(one, object));
    const max = Math.max(0, ...overlaps);
    const index = overlaps.indexOf(max);
    const flags = taken[image];
    if (flags === undefined || index < 0 || max < overlap || flags[index] === 1) return false;
    flags[index] = 1;
    return true;
  });
}

function areaUnder(hits: readonly boolean[], total: number): number {
  let found = 0;
  const points = hits.map((hit, i) => {
    if (hit) found++;
    return { hit, precision: found / (i + 1) };
  });
  let best = 0;
  let area = 0;
  for (const { hit, precision } of points.reverse()) {
    best = Math.max(best, precision);
    if (hit) area += best / total; // recall grows by one object at each hit
  }
  return area;
}

/** Shared area over joint area of two boxes, in [0, 1]. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  const shared = w * h;
  return shared / (a.w * a.h + b.w * b.h - shared);
}
