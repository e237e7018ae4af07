import { toPlain } from '../../graph/blocked/layout.ts';
import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { conv2d } from '../../graph/ops/convolution/conv2d.ts';
import { reshape, slice, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';

/** A 1×1 convolution that predicts `numbers` for each of the `anchors` of every pixel of a map. */
export interface HeadLayer {
  name: string;
  from: number;
  anchors: number;
  numbers: number;
}

/** Small, so that all anchors have similar predictions at first. */
const deviation = 0.01;

export function headLayerParameters({ name, from, anchors, numbers }: HeadLayer): Record<string, ParameterSpec> {
  const to = anchors * numbers;
  return {
    [`${name}.w`]: { shape: [to, from, 1, 1], init: { kind: 'normal', deviation } },
    [`${name}.b`]: { shape: [to, 1, 1], init: { kind: 'zeros' } },
  };
}

/** A map [N, C, h, w] → [N, h·w·anchors, numbers], pixel by pixel from the top left. */
export function headRows(t: Tape, x: Value, { layer, weights }: { layer: HeadLayer; weights: Values }): Value {
  const { name, anchors, numbers } = layer;
  const y = add(t, toPlain(t, conv2d(t, x, weights.of(`${name}.w`))), weights.of(`${name}.b`)); // its numbers may fill blocks
  const [n = 1, , h = 1, w = 1] = y.shape;
  const pixels = Number(h) * Number(w);
  const last = transpose(t, reshape(t, y, [n, anchors * numbers, pixels]), [0, 2, 1]);
  return reshape(t, last, [n, pixels * anchors, numbers]);
}

/** Adds a bias to logits, so that the initial probability is the share of anchors with an object (Lin et al. 2017, section 4.1). */
export const withPrior = (t: Tape, logits: Value, share = 0.01): Value =>
  add(t, logits, t.graph.scalar(Math.log(share / (1 - share))));

/** Splits rows [N, A, K] on the last dimension before `at`. */
export function cutRows(t: Tape, rows: Value, at: number): [Value, Value] {
  const axis = rows.shape.length - 1;
  const end = Number(emit.dimOf(rows, axis));
  return [slice(t, rows, { axis, start: 0, end: at }), slice(t, rows, { axis, start: at, end })];
}
