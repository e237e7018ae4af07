import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import { add, div, mul, sub } from '../ops/arithmetic.ts';
import { maximum, minimum } from '../ops/elementwise.ts';
import { slice } from '../ops/shaping.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

/** Keeps quotients of empty boxes finite; boxes are in pixels, so it is far below any area. */
const epsilon = 1e-7;

// Boxes are (left, top, right, bottom) in the last dimension, [..., 4], with left ≤ right and top ≤ bottom.

/** 1 − IoU of boxes a and b, which may broadcast; IoU = |a ∩ b| / |a ∪ b|. */
export function iouLoss(t: Tape, a: Value, b: Value, weighting: Weighting = {}): Value {
  return lossOf(t, boxIou(t, a, b), weighting);
}

/**
 * 1 − GIoU (Rezatofighi et al. 2019, algorithm 1): IoU − |hull \ (a ∪ b)| / |hull| with the smallest box around both, so that
 * boxes that do not overlap have a gradient, too.
 */
export function giouLoss(t: Tape, a: Value, b: Value, weighting: Weighting = {}): Value {
  return lossOf(t, generalisedIou(t, a, b), weighting);
}

/** IoU of boxes [..., 4]: [..., 1]. */
export function boxIou(t: Tape, a: Value, b: Value): Value {
  const { common, union } = areas(t, a, b);
  return div(t, common, union);
}

function generalisedIou(t: Tape, a: Value, b: Value): Value {
  const { common, union } = areas(t, a, b);
  const corners = { low: minimum(t, low(t, a), low(t, b)), high: maximum(t, high(t, a), high(t, b)) };
  const hull = add(t, areaBetween(t, corners), t.graph.scalar(epsilon));
  return sub(t, div(t, common, union), div(t, sub(t, hull, union), hull));
}

function areas(t: Tape, a: Value, b: Value): { common: Value; union: Value } {
  const corners = { low: maximum(t, low(t, a), low(t, b)), high: minimum(t, high(t, a), high(t, b)) };
  const common = areaBetween(t, corners);
  const both = add(
    t,
    areaBetween(t, { low: low(t, a), high: high(t, a) }),
    areaBetween(t, { low: low(t, b), high: high(t, b) }),
  );
  return { common, union: add(t, sub(t, both, common), t.graph.scalar(epsilon)) };
}

const low = (t: Tape, box: Value): Value => slice(t, box, { axis: box.shape.length - 1, start: 0, end: 2 });
const high = (t: Tape, box: Value): Value => slice(t, box, { axis: box.shape.length - 1, start: 2, end: 4 });

/** [..., 1]; zero if low > high on an axis. */
function areaBetween(t: Tape, corners: { low: Value; high: Value }): Value {
  const sides = maximum(t, sub(t, corners.high, corners.low), t.graph.scalar(0));
  const axis = sides.shape.length - 1;
  return mul(t, slice(t, sides, { axis, start: 0, end: 1 }), slice(t, sides, { axis, start: 1, end: 2 }));
}

function lossOf(t: Tape, overlap: Value, weighting: Weighting): Value {
  const g = t.graph;
  const count = countOf(overlap);
  const losses = emit.sub(g, g.scalar(1), overlap);
  return t.record(weightedSum(g, losses, weighting, count), [overlap], (dloss) => {
    const share = emit.unary(g, 'Neg', elementGradient(g, dloss, weighting, count));
    return [weighting.weights === undefined ? emit.add(g, emit.zerosLike(g, overlap), share) : share];
  });
}
