import { type Detection, hitsInImage, type ImageHits, meanPrecision } from '../average-precision.ts';
import { fuseBoxes } from '../ensembles/box-fusion.ts';
import { keptRows } from '../ensembles/kept-answers.ts';
import type { EnsembleLoss, FitEffort, Panel, PanelEnsemble, ScoredPart } from '../ensembles/panel.ts';
import type { Box } from '../task.ts';

/** Fusing the boxes of 256 images takes some ten milliseconds, and each of some hundred combinations is fused once. */
const effort: FitEffort = { steps: 6, bags: 5, rows: 256 };

/** Of each image what is kept of detections, best first, and of objects, the first. */
const KEPT_BOXES = 64;
const KEPT_OBJECTS = 256;
const numbers = 6;
const KEPT_BOX_NUMBERS = KEPT_BOXES * numbers;

export const keptImages = (images: number): Int32Array => keptRows(images, KEPT_BOX_NUMBERS);

/** Detections of images as numbers, [images, KEPT_BOX_NUMBERS]: class, score, x, y, w, h; unused ones have score 0. */
export function keepDetections(images: readonly (readonly Detection[])[], places: Int32Array): Float32Array {
  const kept = new Float32Array(places.length * KEPT_BOX_NUMBERS);
  places.forEach((place, image) => {
    (images[place] ?? []).slice(0, KEPT_BOXES).forEach(({ label, score, x, y, w, h }, i) => {
      kept.set([label, score, x, y, w, h], image * KEPT_BOX_NUMBERS + i * numbers);
    });
  });
  return kept;
}

function keptDetections(kept: Float32Array): Detection[][] {
  return Array.from({ length: kept.length / KEPT_BOX_NUMBERS }, (_, image) => {
    const found: Detection[] = [];
    for (let i = 0; i < KEPT_BOXES; i++) {
      const at = image * KEPT_BOX_NUMBERS + i * numbers;
      const [label = 0, score = 0, x = 0, y = 0, w = 0, h = 0] = kept.subarray(at, at + numbers);
      if (score <= 0) break;
      found.push({ label, score, x, y, w, h });
    }
    return found;
  });
}

/** Objects of images as numbers: of each image their number, then class, x, y, w, h of each. */
export function keepObjects(images: readonly (readonly Box[])[], places: Int32Array): Float32Array {
  const all = Array.from(places, (place) => (images[place] ?? []).slice(0, KEPT_OBJECTS));
  return Float32Array.from(
    all.flatMap((boxes) => [boxes.length, ...boxes.flatMap(({ label, x, y, w, h }) => [label, x, y, w, h])]),
  );
}

function keptObjects(kept: Float32Array): Box[][] {
  const images: Box[][] = [];
  for (let at = 0; at < kept.length; ) {
    const count = kept[at++] as number;
    const boxes: Box[] = [];
    for (let i = 0; i < count; i++, at += numbers - 1) {
      const [label = 0, x = 0, y = 0, w = 0, h = 0] = kept.subarray(at, at + numbers - 1);
      boxes.push({ label, x, y, w, h });
    }
    images.push(boxes);
  }
  return images;
}

/** Candidates with what they found in validation images, whose objects `truth` has. Detections have no temperature. */
export class BoxPanel implements Panel {
  readonly effort = effort;
  readonly rows: number;
  readonly candidates: number;
  readonly #found: readonly Detection[][][];
  readonly #objects: readonly Box[][];
  readonly #classes: number;
  /** Objects of each class in each image. */
  readonly #totals: readonly Float64Array[];

  constructor(kept: readonly Float32Array[], truth: Float32Array, classes: number) {
    this.#found = kept.map(keptDetections);
    this.#objects = keptObjects(truth);
    this.#classes = classes;
    this.rows = this.#objects.length;
    this.candidates = kept.length;
    this.#totals = this.#objects.map((boxes) => {
      const totals = new Float64Array(classes);
      for (const { label } of boxes) totals[label]!++;
      return totals;
    });
  }

  temperature(): number {
    return 1;
  }

  /** What the mean average precision lacks to 1. */
  lossOf(): EnsembleLoss {
    const known = new Map<string, ImageHits[]>();
    return (counts, rows) => {
      const key = counts.join(' ');
      const hits = known.get(key) ?? [];
      known.set(key, hits);
      const members = Array.from(counts, (weight, candidate) => ({ candidate, weight })).filter(
        ({ weight }) => weight > 0,
      );
      for (const row of rows) hits[row] ??= this.#hits(row, members);
      return 1 - this.#precision(Array.from(rows, (row) => [row, hits[row] as ImageHits]));
    };
  }

  score(parts: readonly ScoredPart[]): number {
    return this.#precision(
      parts.flatMap(({ rows, ensemble }) => {
        const members = membersOf(ensemble);
        return Array.from(rows, (row): [number, ImageHits] => [row, this.#hits(row, members)]);
      }),
    );
  }

  #hits(row: number, members: readonly { candidate: number; weight: number }[]): ImageHits {
    const fused = fuseBoxes(
      members.map(({ candidate, weight }) => ({ found: this.#found[candidate]?.[row] ?? [], weight })),
    );
    return hitsInImage(fused, this.#objects[row] ?? []);
  }

  #precision(images: readonly (readonly [number, ImageHits])[]): number {
    const totals = new Float64Array(this.#classes);
    for (const [row] of images)
      this.#totals[row]?.forEach((count, label) => {
        totals[label]! += count;
      });
    return meanPrecision(
      images.map(([, hits]) => hits),
      totals,
    );
  }
}

/** The best alone in place of a vote. */
const membersOf = ({ rule, members }: PanelEnsemble): PanelEnsemble['members'] =>
  rule === 'vote' ? members.slice(0, 1) : members;
