import * as emit from '../../graph/emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph/graph.ts';
import { coordinate, count, overlaps, same } from './overlap.ts';

/** What each place of a detector (a cell, an anchor, a proposal) is to answer. */
export interface PlaceTargets {
  /** 1 where the place has an object, else 0: [N, A, 1]. */
  positive: Value;
  /** Box of its object, [N, A, 4]; of no meaning where there is none. */
  boxes: Value;
  /** 1 for the class of its object, zeros where there is none: [N, A, C]. */
  classes: Value;
}

/** The objects of a batch, [N, M, 5]: class (−1 in unused rows), left, top, right, bottom. */
export const classColumn = (g: Graph, objects: Value): Value => coordinate(g, objects, 0);
export const boxColumns = (g: Graph, objects: Value): Value => emit.slice(g, objects, 2, 1, 5);

/** 1 for rows that hold an object: [N, 1, M]. */
export function present(g: Graph, objects: Value): Value {
  const [n = 1, m = 1] = objects.shape;
  return emit.isNotNegative(g, emit.reshape(g, classColumn(g, objects), [n, 1, m]));
}

/** Each place gets the object that it fits best, by `fitness` [N, A, M]; none where no fitness is above zero. */
export function assign(
  g: Graph,
  fitness: Value,
  { objects, classes }: { objects: Value; classes: number },
): PlaceTargets {
  const [n = 1, a = 1, m = 1] = fitness.shape;
  const attributes = { axis: 2, keepdims: 1 };
  const best = g.node('ArgMax', [fitness], [n, a, 1], { attributes, dtype: 'int64' });
  const chosen = same(g, emit.cast(g, best, 'float32', elementTypes.float32), count(g, Number(m)));
  const own = emit.batchMatmul(g, chosen, objects); // [N, A, 5]
  const positive = emit.isPositive(g, emit.reduce(g, 'ReduceMax', fitness, [2]));
  return {
    positive,
    boxes: boxColumns(g, own),
    classes: emit.mul(g, same(g, classColumn(g, own), count(g, classes)), positive),
  };
}

/** How well places fit objects, and which of them must not learn that they have none. */
export interface PlaceMatch {
  fitness: Value;
  /** 0 for a place that overlaps an object too much to be background and too little to have it, else 1: [N, A, 1]. */
  certain: Value;
}

export interface MatchOptions {
  objects: Value;
  /** Overlap from which a place has an object. */
  min: number;
  /** Overlap below which it has none; `least` where not given. */
  max?: number;
  /** Whether the place that overlaps an object most has it however small the overlap. */
  forced: boolean;
}

/** Places matched by overlap (Liu et al. 2016, section 2.2): `boxes` [A, 4] or [N, A, 4]. */
export function match(g: Graph, boxes: Value, { objects, min, max = min, forced }: MatchOptions): PlaceMatch {
  const overlap = emit.mul(g, overlaps(g, boxes, boxColumns(g, objects)), present(g, objects));
  const enough = emit.isNotNegative(g, emit.sub(g, overlap, g.scalar(min)));
  const best = emit.reduce(g, 'ReduceMax', overlap, [2]);
  const uncertain = emit.isPositive(g, emit.sub(g, best, g.scalar(max)));
  const certain = emit.sub(g, g.scalar(1), uncertain);
  const fitness = emit.mul(g, overlap, enough);
  if (!forced) return { fitness, certain };
  // 2 puts the object that needs this place above any that overlaps it more
  const top = emit.reduce(g, 'ReduceMax', overlap, [1]);
  const needed = emit.mul(g, emit.isNotNegative(g, emit.sub(g, overlap, top)), emit.isPositive(g, top));
  return { fitness: emit.add(g, fitness, emit.mul(g, needed, g.scalar(2))), certain };
}

/** max(1, Σ positive), a scalar: what sums over positives are divided by. */
export function countPositives(g: Graph, positive: Value): Value {
  const total = emit.reduce(g, 'ReduceSum', positive, [0, 1, 2]);
  return emit.binary(g, 'Max', emit.reshape(g, total, []), g.scalar(1));
}
