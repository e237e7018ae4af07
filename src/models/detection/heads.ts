import { toPlain } from '../../graph/blocked/layout.ts';
import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { conv2d } from '../../graph/ops/convolution/conv2d.ts';
import { concat, reshape, slice, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';

/** A layer that says `numbers` of each of the `places` that every pixel of a map stands for. */
export interface HeadLayer {
  name: string;
  from: number;
  places: number;
  numbers: number;
}

/** Small at first, so that no place begins with an opinion. */
const deviation = 0.01;

export function headLayerParameters({ name, from, places, numbers }: HeadLayer): Record<string, ParameterSpec> {
  const to = places * numbers;
  return {
    [`${name}.w`]: { shape: [to, from, 1, 1], init: { kind: 'normal', deviation } },
    [`${name}.b`]: { shape: [to, 1, 1], init: { kind: 'zeros' } },
  };
}

/** A map [N, C, h, w] → [N, h·w·places, numbers], pixel by pixel from the top left. */
export function headRows(t: Tape, x: Value, { layer, weights }: { layer: HeadLayer; weights: Values }): Value {
  const { name, places, numbers } = layer;
  const y = add(t, toPlain(t, conv2d(t, x, weights.of(`${name}.w`))), weights.of(`${name}.b`)); // its numbers may fill blocks
  const [n = 1, , h = 1, w = 1] = y.shape;
  const pixels = Number(h) * Number(w);
  const last = transpose(t, reshape(t, y, [n, places * numbers, pixels]), [0, 2, 1]);
  return reshape(t, last, [n, pixels * places, numbers]);
}

/** Rows of several maps one after the other. */
export const joinRows = (t: Tape, rows: readonly Value[]): Value =>
  rows.length === 1 && rows[0] !== undefined ? rows[0] : concat(t, rows, 1);

/** Logits that begin at the share of places that have an object at all (Lin et al. 2017, section 4.1). */
export const withPrior = (t: Tape, logits: Value, share = 0.01): Value =>
  add(t, logits, t.graph.scalar(Math.log(share / (1 - share))));

/** Rows [N, A, K] with the last dimension cut in front of `at`. */
export function cutRows(t: Tape, rows: Value, at: number): [Value, Value] {
  const axis = rows.shape.length - 1;
  const end = Number(emit.dimOf(rows, axis));
  return [slice(t, rows, { axis, start: 0, end: at }), slice(t, rows, { axis, start: at, end })];
}
