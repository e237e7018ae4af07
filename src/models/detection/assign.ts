import { cutOff } from '../../domain/kinds/detection.ts';
import * as emit from '../../graph/emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph/graph.ts';
import { centreOn, coordinate, count, overlaps, same } from './overlap.ts';

/** Training targets of a detector's anchors, which are its cells, default boxes or proposals. */
export interface AnchorTargets {
  /** 1 if the anchor has an object, else 0: [N, A, 1]. */
  positive: Value;
  /** Box of its object, [N, A, 4]; undefined if there is none. */
  boxes: Value;
  /** 1 for the class of its object, zeros if there is none: [N, A, C]. */
  classes: Value;
  /** 0 if the anchor has no object and its centre is in one that is mostly cut off, else 1: [N, A, 1]. */
  known: Value;
}

/** The objects of a batch, [N, M, 5]: class (−1 in unused rows, −2 for objects that are mostly cut off), left, top, right, bottom. */
export const classColumn = (g: Graph, objects: Value): Value => coordinate(g, objects, 0);
export const boxColumns = (g: Graph, objects: Value): Value => emit.slice(g, objects, 2, 1, 5);

/** 1 for rows with an object: [N, 1, M]. */
export function isPresent(g: Graph, objects: Value): Value {
  const [n = 1, m = 1] = objects.shape;
  return emit.isNotNegative(g, emit.reshape(g, classColumn(g, objects), [n, 1, m]));
}

export interface AssignOptions {
  objects: Value;
  classes: number;
  /** [A, 4] or [N, A, 4] */
  anchors: Value;
}

/** Assigns each anchor the object with the highest `fitness` [N, A, M]; none unless it is above zero. */
export function assign(g: Graph, fitness: Value, { objects, classes, anchors }: AssignOptions): AnchorTargets {
  const [n = 1, a = 1, m = 1] = fitness.shape;
  const attributes = { axis: 2, keepdims: 1 };
  const best = g.node('ArgMax', [fitness], [n, a, 1], { attributes, dtype: 'int64' });
  const chosen = same(g, emit.cast(g, best, 'float32', elementTypes.float32), count(g, Number(m)));
  const assigned = emit.batchMatmul(g, chosen, objects); // [N, A, 5]
  const positive = emit.isPositive(g, emit.reduce(g, 'ReduceMax', fitness, [2]));
  return {
    positive,
    boxes: boxColumns(g, assigned),
    classes: emit.mul(g, same(g, classColumn(g, assigned), count(g, classes)), positive),
    known: emit.binary(g, 'Max', positive, isOutsideCut(g, anchors, objects)),
  };
}

/** 1 for anchors whose centre is in no object that is mostly cut off: [N, A, 1]. */
function isOutsideCut(g: Graph, anchors: Value, objects: Value): Value {
  const [n = 1, m = 1] = objects.shape;
  const isCut = same(g, classColumn(g, objects), g.scalar(cutOff));
  const inside = emit.mul(g, isBetween(g, anchors, objects, 0), isBetween(g, anchors, objects, 1));
  const insideCut = emit.mul(g, inside, emit.reshape(g, isCut, [n, 1, m]));
  return emit.sub(g, g.scalar(1), emit.reduce(g, 'ReduceMax', insideCut, [2]));
}

/** 1 where the centre of an anchor is between the sides of an object on an axis: [N, A, M]. */
export function isBetween(g: Graph, anchors: Value, objects: Value, axis: 0 | 1): Value {
  const [n = 1, m = 1] = objects.shape;
  const side = (i: number): Value => emit.reshape(g, coordinate(g, boxColumns(g, objects), i), [n, 1, m]);
  const centre = centreOn(g, anchors, axis);
  const isAfter = emit.isPositive(g, emit.sub(g, centre, side(axis)));
  return emit.mul(g, isAfter, emit.isPositive(g, emit.sub(g, side(axis + 2), centre)));
}

/** How well anchors fit objects, and which anchors the loss ignores. */
export interface AnchorMatch {
  fitness: Value;
  /** 0 for an anchor whose overlap with an object is too large for background and too small for the object, else 1: [N, A, 1]. */
  notIgnored: Value;
}

export interface MatchOptions {
  objects: Value;
  /** Minimum overlap of an anchor with its object. */
  min: number;
  /** Overlap above which an anchor without object is ignored; `min` if not given. */
  max?: number;
  /** Whether the anchor with the largest overlap gets the object even below `min`. */
  forced: boolean;
}

/** Matches anchors to objects by overlap (Liu et al. 2016, section 2.2): `boxes` [A, 4] or [N, A, 4]. */
export function match(g: Graph, boxes: Value, { objects, min, max = min, forced }: MatchOptions): AnchorMatch {
  const overlap = emit.mul(g, overlaps(g, boxes, boxColumns(g, objects)), isPresent(g, objects));
  const isMatch = emit.isNotNegative(g, emit.sub(g, overlap, g.scalar(min)));
  const best = emit.reduce(g, 'ReduceMax', overlap, [2]);
  const ignored = emit.isPositive(g, emit.sub(g, best, g.scalar(max)));
  const notIgnored = emit.sub(g, g.scalar(1), ignored);
  const fitness = emit.mul(g, overlap, isMatch);
  if (!forced) return { fitness, notIgnored };
  // adding 2 ranks an object that this anchor is forced to get above all others
  const objectBest = emit.reduce(g, 'ReduceMax', overlap, [1]);
  const isForced = emit.mul(g, emit.isNotNegative(g, emit.sub(g, overlap, objectBest)), emit.isPositive(g, objectBest));
  return { fitness: emit.add(g, fitness, emit.mul(g, isForced, g.scalar(2))), notIgnored };
}

/** max(1, Σ positive), a scalar: the normaliser of sums over positives. */
export function countPositives(g: Graph, positive: Value): Value {
  const total = emit.reduce(g, 'ReduceSum', positive, [0, 1, 2]);
  return emit.binary(g, 'Max', emit.reshape(g, total, []), g.scalar(1));
}
