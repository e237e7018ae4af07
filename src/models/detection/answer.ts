import { MAX_DETECTIONS } from '../../domain/kinds/detection.ts';
import * as emit from '../../graph/emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph/graph.ts';
import type { Answer } from '../../graph/network.ts';
import type { Candidates } from './mirror.ts';
import { coordinate } from './overlap.ts';
import { suppress, topK } from './suppress.ts';

/** Two boxes of one class that overlap more are the same object. */
const maxOverlap = 0.5;

/** Less probable boxes are left out: they do not change average precision. */
const minScore = 0.005;

/** What a detector finds, and the images in which it does. */
export interface DetectorOutput extends Candidates {
  /** Original width and height of each image: [N, 2]. */
  frame: Value;
  /** Of the square input, in pixels. */
  side: number;
}

/** `detections` [N, M, 6]: class, score, x, y, w, h in source pixels, best first; unused rows have score 0. */
export function detectionsAnswer(g: Graph, { boxes, scores, frame, side }: DetectorOutput): Answer {
  const [n = 1, classes = 1, places = 1] = scores.shape;
  const all = Number(classes) * Number(places);
  const within = emit.clip(g, boxes, 0, side);
  const remaining = suppress(g, { boxes: within, scores, overlap: maxOverlap, minScore });
  const { values, indices: at } = topK(g, emit.reshape(g, remaining, [n, all]), Math.min(MAX_DETECTIONS, all));
  const rows = at.shape[1] ?? 1;
  const width = g.scalar(Number(places));
  const index = emit.cast(g, at, 'float32', elementTypes.float32);
  const label = emit.unary(g, 'Floor', emit.div(g, emit.add(g, index, g.scalar(0.5)), width));
  const place = emit.sub(g, index, emit.mul(g, label, width));
  const topBoxes = takeRows(g, within, emit.cast(g, emit.reshape(g, place, [n, rows, 1]), 'int64', elementTypes.int64));
  const column = (v: Value): Value => emit.reshape(g, v, [n, rows, 1]);
  return {
    name: 'detections',
    value: emit.concat(g, [column(label), column(values), sourceBoxes(g, topBoxes, { frame, side })], 2),
  };
}

/** rows[n, index[n, k]]: [N, A, D] and [N, K, 1] → [N, K, D]. */
export function takeRows(g: Graph, rows: Value, index: Value): Value {
  const [n = 1, k = 1] = index.shape;
  return g.node('GatherND', [rows, index], [n, k, emit.dimOf(rows, 2)], { attributes: { batch_dims: 1 } });
}

/** x, y, w, h in pixels of the source. */
function sourceBoxes(g: Graph, boxes: Value, { frame, side }: Pick<DetectorOutput, 'frame' | 'side'>): Value {
  const [n = 1] = boxes.shape;
  const scaled = (i: number): Value => {
    const size = emit.reshape(g, coordinate(g, frame, i % 2), [n, 1, 1]);
    return emit.mul(g, emit.mul(g, coordinate(g, boxes, i), g.scalar(1 / side)), size);
  };
  const [left, top, right, bottom] = [scaled(0), scaled(1), scaled(2), scaled(3)];
  return emit.concat(g, [left, top, emit.sub(g, right, left), emit.sub(g, bottom, top)], 2);
}
