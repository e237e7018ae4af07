import * as emit from '../../graph/emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph/graph.ts';
import { coordinate, count, overlaps, same } from './overlap.ts';

/** Training targets of a detector's anchors, which are its cells, default boxes or proposals. */
export interface AnchorTargets {
  /** 1 if the anchor has an object, else 0: [N, A, 1]. */
  positive: Value;
  /** Box of its object, [N, A, 4]; undefined if there is none. */
  boxes: Value;
  /** 1 for the class of its object, zeros if there is none: [N, A, C]. */
  classes: Value;
}

/** The objects of a batch, [N, M, 5]: class (−1 in unused rows), left, top, right, bottom. */
export const classColumn = (g: Graph, objects: Value): Value => coordinate(g, objects, 0);
export const boxColumns = (g: Graph, objects: Value): Value => emit.slice(g, objects, 2, 1, 5);

/** 1 for rows with an object: [N, 1, M]. */
export function isPresent(g: Graph, objects: Value): Value {
  const [n = 1, m = 1] = objects.shape;
  return emit.isNotNegative(g, emit.reshape(g, classColumn(g, objects), [n, 1, m]));
}

/** Assigns each anchor the object with the highest `fitness` [N, A, M]; none unless it is above zero. */
export function assign(
  g: Graph,
  fitness: Value,
  { objects, classes }: { objects: Value; classes: number },
): AnchorTargets {
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
  };
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
