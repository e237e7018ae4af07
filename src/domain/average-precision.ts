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
  { label, overlap }: PrecisionTarget,
): number | null {
  const objects = actual.map((boxes) => boxes.filter((box) => box.label === label));
  const total = objects.reduce((sum, boxes) => sum + boxes.length, 0);
  if (total === 0) return null;
  const hits = found.flatMap((detections, image) =>
    hitsIn(
      detections.filter((one) => one.label === label),
      objects[image] ?? [],
      overlap,
    ),
  );
  return areaUnder(hits, total);
}

/** A detection, and whether it found an object. */
interface Hit {
  score: number;
  isHit: boolean;
}

/** The detections of an image, by class, at an overlap of half. */
export type ImageHits = ReadonlyMap<number, readonly Hit[]>;

/** For {@link meanPrecision}, which then compares many choices of images quickly. */
export function hitsInImage(found: readonly Detection[], objects: readonly Box[]): ImageHits {
  const labels = new Set(found.map(({ label }) => label));
  return new Map(
    [...labels].map((wanted) => [
      wanted,
      hitsIn(
        found.filter(({ label }) => label === wanted),
        objects.filter(({ label }) => label === wanted),
        0.5,
      ),
    ]),
  );
}

/** Mean over the classes that occur of their average precision, given the number of objects of each; 0 if none occurs. */
export function meanPrecision(images: readonly ImageHits[], totals: Float64Array): number {
  const known = Array.from(totals).flatMap((total, label) =>
    total === 0
      ? []
      : [
          areaUnder(
            images.flatMap((image) => image.get(label) ?? []),
            total,
          ),
        ],
  );
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Of an image and a class, in the order of their scores: a detection does not depend on those in other images. */
function hitsIn(found: readonly Detection[], objects: readonly Box[], overlap: number): Hit[] {
  const taken = new Uint8Array(objects.length);
  const ranked = found.toSorted((a, b) => b.score - a.score);
  return ranked.map((one) => {
    const overlaps = objects.map((object) => intersectionOverUnion(one, object));
    const max = Math.max(0, ...overlaps);
    const index = overlaps.indexOf(max);
    const isHit = index >= 0 && max >= overlap && taken[index] === 0;
    if (isHit) taken[index] = 1;
    return { score: one.score, isHit };
  });
}

/** Under precision over recall, of the detections of all images. */
function areaUnder(unranked: readonly Hit[], total: number): number {
  let found = 0;
  const hits = unranked.toSorted((a, b) => b.score - a.score);
  const points = hits.map(({ isHit: hit }, i) => {
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
