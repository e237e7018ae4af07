import { BadData } from '../../errors/errors.ts';
import { averagePrecision, type Detection } from '../average-precision.ts';
import { fuseBoxes } from '../ensembles/box-fusion.ts';
import type { EnsembleRule } from '../ensembles/rule.ts';
import type { Box, ImageSize, Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import { BoxPanel, keepDetections, keepObjects, keptImages } from './box-panel.ts';
import { checkBoxes, isBox, type NamedBox } from './boxes.ts';
import { type AnsweredBatch, type AnswerMaker, floats, type NamedLabel, rounded, type TaskKind } from './kind.ts';

/**
 * The name of a detector's target: the objects of each image, [N, M, 5]: class, left, top, right, bottom in pixels of the
 * network's input; unused rows have class −1, after those with objects.
 */
export const objectsTarget = 'objects';

/** The class of the visible part of an object that is mostly cut off: neither an object nor background. */
export const cutOff = -2;

/** The name of the input with the original width and height of each image, [N, 2]. */
export const frameInput = 'frame';
export const frameSize = 2;

/** Numbers of one object in a target, and of one detection in an answer. */
const objectSize = 5;
export const detectionSize = 6;
/** Of an answer to one image: fusing those of several members takes the square of their number. */
export const MAX_DETECTIONS = 100;

/** Of one image: some ten thousand boxes. */
const MAX_BOXES_BYTES = 2 ** 20;

/** Objects of lower scores are noise, even in details. */
const leastScore = 0.05;
/** Minimum score of an object in `rafiki_predict`, and the default of `rafiki_detect`. */
export const CLEAR_SCORE = 0.3;

/**
 * Objects in images: answers are detections [N, M, 6]: class, score, x, y, w, h in source pixels, best first, unused rows
 * with score 0. The score is mAP50: the mean over classes of average precision at an overlap of half.
 */
export const detection: TaskKind = {
  readLabel(text) {
    if (text.length > MAX_BOXES_BYTES) {
      throw new BadData('an image has too many boxes', {
        detail: `They have ${text.length} bytes; the limit is 1 MB.`,
      });
    }
    return (size) => checkBoxes(JSON.parse(text.toString('utf8')), size);
  },

  isLabel: (value): value is NamedBox[] => Array.isArray(value) && value.every(isBox),
  classesOf: (label) => namedBoxes(label).map((box) => box.label),
  minClasses: { count: 1, reason: 'there is nothing to find: no row has a box' },
  indexed: (labels, indexOf) =>
    labels.map((label) => namedBoxes(label).map((box) => ({ ...box, label: indexOf(box.label) }))),

  targets(labels, rows, { shapes, inputs }) {
    const max = Number(shapes[objectsTarget]?.shape[0]);
    const frames = inputs[frameInput];
    if (frames === undefined) throw new RangeError('images for a detector come with their frames');
    const side = Number(inputs['image']?.shape[3]);
    const objects = Array.from(rows, (row, i) => framed(boxLabels(labels)[row] ?? [], frameAt(frames, i), side));
    return { [objectsTarget]: objectsTensor(objects, max) };
  },

  score: (answers, labels, { classes }) => scoresOf(detectionsOf(answers), boxLabels(labels), classes),

  /** Of a trial on few images, average precision at an overlap of half is near 1 long before boxes fit well. */
  rank: ({ score, metrics }) => score + (metrics['ap75'] ?? 0),

  /** Classes that the data does not have count as wrong. */
  scoreEnsemble(members, labels, { classes, rule }) {
    const asked = (rule === 'weighted' ? members : members.slice(0, 1)).map(({ answers, classes: own, weight }) => {
      const place = own.map((label) => classes.indexOf(label));
      const images = detectionsOf(answers).map((found) =>
        found.map((one) => ({ ...one, label: place[one.label] ?? -1 })),
      );
      return { images, weight };
    });
    const objects = boxLabels(labels);
    const fused = objects.map((_, image) =>
      fuseBoxes(asked.map(({ images, weight }) => ({ found: images[image] ?? [], weight }))),
    );
    return scoresOf(fused, objects, classes).score;
  },

  votes: () => false,
  ballots: () => new Float32Array(0),
  /** The objects of the images that are kept. */
  truth: (labels) => keepObjects(boxLabels(labels), keptImages(boxLabels(labels).length)),
  readBallots: (bytes) => new Float32Array(bytes),
  scoreBallots: ([best]) => best?.score ?? 0,
  kept: (answers) => keepDetections(detectionsOf(answers), keptImages(answers.shape[0] ?? 0)),

  panel(members, truth, { classes }) {
    if (truth.length === 0 || members.some(({ kept }) => kept.length === 0)) return undefined;
    return new BoxPanel(
      members.map(({ kept }) => kept),
      Float32Array.from(truth),
      classes,
    );
  },

  answers: answersOf,
};

/** An object found in an image, in pixels of the upright image from its top left corner. */
interface FoundBox extends NamedBox {
  score: number;
}

/** Of detections [rows, M, 6], best first, unused ones with score 0: those of the best member, or fused ones. */
function answersOf(names: readonly string[], rule: EnsembleRule): AnswerMaker {
  const boxesOf = ({ outputs, members, rows }: AnsweredBatch, row: number): FoundBox[] => {
    const asked = rule === 'weighted' ? outputs : outputs.slice(0, 1);
    const found = asked.map((output, m) => ({
      found: detectionsIn(output, row, rows),
      weight: members[m]?.weight ?? 1,
    }));
    return fuseBoxes(found).flatMap(({ label, score, ...pixels }) => {
      if (!(score >= leastScore)) return [];
      const [x = 0, y = 0, w = 0, h = 0] = [pixels.x, pixels.y, pixels.w, pixels.h].map((value) => rounded(value, 1)); // finer than any detector
      return [{ label: names[label] ?? String(label), score: rounded(score), x, y, w, h }];
    });
  };
  return {
    answer: (...row) => JSON.stringify(boxesOf(...row).filter(({ score }) => score >= CLEAR_SCORE)),
    finding: (...row) => ({ boxes: boxesOf(...row) }),
  };
}

/** An object in pixels of the network's input. */
export interface FramedObject {
  /** Its class, or {@link cutOff}. */
  label: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Objects of an image of this size, in pixels of the square with `side` that it is stretched to. */
export function framed(boxes: readonly Box[], { width, height }: ImageSize, side: number): FramedObject[] {
  const [across, down] = [side / width, side / height];
  return boxes.map(({ label, x, y, w, h }) => ({
    label,
    left: x * across,
    top: y * down,
    right: (x + w) * across,
    bottom: (y + h) * down,
  }));
}

/** [N, max, 5]; of images with more objects, the largest whole ones. */
export function objectsTensor(images: readonly (readonly FramedObject[])[], max: number): TensorData {
  const data = new Float32Array(images.length * max * objectSize);
  images.forEach((objects, image) => {
    const kept = objects.length <= max ? objects : objects.toSorted(largestFirst).slice(0, max);
    for (let i = 0; i < max; i++) {
      const object = kept[i];
      const numbers = object ? [object.label, object.left, object.top, object.right, object.bottom] : [-1];
      data.set(numbers, (image * max + i) * objectSize);
    }
  });
  return { dtype: 'float32', shape: [images.length, max, objectSize], data };
}

const largestFirst = (a: FramedObject, b: FramedObject): number =>
  Number(a.label === cutOff) - Number(b.label === cutOff) || area(b) - area(a);

const area = ({ left, top, right, bottom }: FramedObject): number => (right - left) * (bottom - top);

function frameAt(frames: TensorData, row: number): ImageSize {
  const [width = 1, height = 1] = floats(frames).subarray(row * frameSize, (row + 1) * frameSize);
  return { width, height };
}

/** The detections of each image. */
function detectionsOf(answers: TensorData): Detection[][] {
  const [rows = 0] = answers.shape;
  const data = floats(answers);
  return Array.from({ length: rows }, (_, row) => detectionsIn(data, row, rows));
}

/** Those of an image in the answers for `rows` of them; rows with score 0 are none. */
function detectionsIn(data: Float32Array, row: number, rows: number): Detection[] {
  const size = data.length / rows;
  const found: Detection[] = [];
  for (let at = row * size; at < (row + 1) * size; at += detectionSize) {
    const [label = 0, score = 0, x = 0, y = 0, w = 0, h = 0] = data.subarray(at, at + detectionSize);
    if (score > 0) found.push({ label, score, x, y, w, h });
  }
  return found;
}

function scoresOf(found: readonly Detection[][], actual: readonly (readonly Box[])[], classes: readonly string[]) {
  const at = (overlap: number): (number | null)[] =>
    classes.map((_, label) => averagePrecision(found, actual, { label, overlap }));
  const [half, strict] = [at(0.5), at(0.75)];
  const perClass = classes.flatMap((name, label) => {
    const value = half[label];
    return value === null || value === undefined ? [] : [[`ap50:${name}`, value] as const];
  });
  const score = mean(half);
  return { score, metrics: { map50: score, ap75: mean(strict), ...Object.fromEntries(perClass) } };
}

/** Of the classes that occur. */
function mean(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

export function boxLabels(labels: Labels): readonly (readonly Box[])[] {
  if (!ArrayBuffer.isView(labels)) return labels;
  throw new RangeError('a detector is trained on boxes');
}

function namedBoxes(label: NamedLabel): readonly NamedBox[] {
  if (typeof label === 'object') return label;
  throw new RangeError('a detector is trained on boxes');
}
