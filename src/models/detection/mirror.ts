import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import type { Values } from '../../graph/network.ts';
import type { Tape } from '../../graph/tape.ts';
import { withMirrors } from '../image/input.ts';
import { coordinate } from './overlap.ts';

/** Left, top, right, bottom in pixels of the input, [N, A, 4], and the probability of each class, [N, C, A]. */
export interface Candidates {
  boxes: Value;
  scores: Value;
}

/**
 * What `predict` finds in images and in their mirror images, both as boxes of the images: [N, 2A, 4] and [N, C, 2A]. Of two
 * boxes of one object the more certain one fits better.
 */
export function findInBoth(
  t: Tape,
  inputs: Values,
  { side, predict }: { side: number; predict(inputs: Values): Candidates },
): Candidates {
  const g = t.graph;
  const n = emit.dimOf(inputs.of('image'), 0);
  const { boxes, scores } = predict(withMirrors(t, inputs));
  const half = (all: Value, i: number): Value => {
    const [, ...rest] = all.shape;
    return emit.reshape(g, emit.slice(g, emit.reshape(g, all, [2, n, ...rest]), 0, i, i + 1), [n, ...rest]);
  };
  const found = half(boxes, 1);
  const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => coordinate(g, found, i)) as [Value, Value, Value, Value];
  const mirror = (x: Value): Value => emit.sub(g, g.scalar(side), x);
  const mirrored = emit.concat(g, [mirror(right), top, mirror(left), bottom], 2);
  return {
    boxes: emit.concat(g, [half(boxes, 0), mirrored], 1),
    scores: emit.concat(g, [half(scores, 0), half(scores, 1)], 2),
  };
}
