import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { Network, Values } from '../../graph/network.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { clip, exp } from '../../graph/ops/elementwise.ts';
import { concat, slice, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import type { Family } from '../family.ts';
import { type ConvLayer, convNorm, convParameters } from '../image/layers.ts';
import { anchorBoxes } from './anchors.ts';
import { assign, boxColumns, type PlaceTargets, present } from './assign.ts';
import { type BackboneSize, backbone, pyramidChannels } from './backbone.ts';
import { type DetectionTask, detectionTask, detector } from './detector.ts';
import { cutRows, type HeadLayer, headLayerParameters, headRows, withPrior } from './heads.ts';
import { backboneKnobs, detectionSpace, detectorBasics } from './knobs.ts';
import { coordinate } from './overlap.ts';
import { qualityLoss } from './quality-loss.ts';

/**
 * YOLO (Redmon et al. 2016, "You Only Look Once", figure 2; Redmon and Farhadi 2018): one pass, in which the cells of a grid
 * say what is there and where. Changed for few images: one grid of stride 8 over a feature pyramid instead of three; no anchors, a
 * cell measures the distances to the sides of its box (Tian et al. 2019); the 3×3 cells around an object's middle answer for it;
 * one number a class that says likelihood and overlap at once (quality focal loss, Li et al. 2020), and GIoU for the boxes.
 */
export const yolo: Family = {
  name: 'yolo',
  title: 'YOLO: cells of a grid that say what is there and where',
  space: detectionSpace,
  network: (features, knobs) => yoloNetwork({ ...detectionTask(features), ...backboneKnobs(knobs) }),
  ...detectorBasics,
};

const stride = 8;

/** Cells whose middle is nearer to an object's than so many cells, along each axis, answer for it: 3×3 of them. */
const reach = 1.5;

/** The distance to a box's side is e^z times this share of the image's: about half of an object in the middle of the scale. */
const usualDistance = 0.2;

function yoloNetwork(size: DetectionTask & BackboneSize): Network {
  const { image, classes } = size;
  const body = backbone(size);
  const channels = pyramidChannels(size);
  const tower: ConvLayer = { name: 'tower', from: channels, to: channels };
  const out: HeadLayer = { name: 'out', from: channels, places: 1, numbers: classes + 4 };

  const cells = (t: Tape, inputs: Values, weights: Values): { logits: Value; boxes: Value } => {
    const map = convNorm(t, body.look(t, inputs, { weights, image })[stride], { layer: tower, parameters: weights });
    const [logits, sides] = cutRows(t, headRows(t, map, { layer: out, weights }), classes);
    return { logits: withPrior(t, logits), boxes: boxesOf(t, sides, image.side) };
  };

  return detector({
    task: size,
    parameters: { ...body.parameters, ...convParameters(tower), ...headLayerParameters(out) },
    loss(t, { inputs, objects, weights }) {
      const g = t.graph;
      const { logits, boxes } = cells(t, inputs, weights);
      const wanted = assignCells(g, objects, { middles: cellMiddles(g, image.side), classes });
      return qualityLoss(t, { logits, boxes }, wanted);
    },
    find(t, inputs, weights) {
      const { logits, boxes } = cells(t, inputs, weights);
      return { boxes, scores: transpose(t, emit.unary(t.graph, 'Sigmoid', logits), [0, 2, 1]) };
    },
  });
}

/** Middles of the cells, twice, as a box without extent: [A, 4]. */
const cellMiddles = (g: Graph, side: number): Value =>
  g.shared(`cells ${side}`, () => anchorBoxes(g, side, [{ stride, shapes: [{ w: 0, h: 0 }] }]));

/** From the logarithms of the distances to left, top, right, bottom: [N, A, 4]. */
function boxesOf(t: Tape, sides: Value, side: number): Value {
  const g = t.graph;
  const distances = mul(t, exp(t, clip(t, sides, -6, 3)), g.scalar(usualDistance * side));
  const [before, after] = [
    slice(t, distances, { axis: 2, start: 0, end: 2 }),
    slice(t, distances, { axis: 2, start: 2, end: 4 }),
  ];
  const signed = concat(t, [mul(t, before, g.scalar(-1)), after], 2);
  return add(t, signed, cellMiddles(g, side));
}

/** A cell answers for the smallest object whose middle is near, if the cell's own middle lies within it. */
function assignCells(
  g: Graph,
  objects: Value,
  { middles, classes }: { middles: Value; classes: number },
): PlaceTargets {
  const [n = 1, m = 1] = objects.shape;
  const boxes = boxColumns(g, objects);
  const side = (i: number): Value => emit.reshape(g, coordinate(g, boxes, i), [n, 1, m]);
  const within = (axis: number): Value => {
    const at = coordinate(g, middles, axis);
    const [low, high] = [side(axis), side(axis + 2)];
    const apart = emit.unary(g, 'Abs', emit.sub(g, emit.mul(g, emit.add(g, low, high), g.scalar(0.5)), at));
    const near = emit.isPositive(g, emit.sub(g, g.scalar(reach * stride), apart));
    const middle = emit.isNotNegative(g, emit.sub(g, g.scalar(stride / 2), apart)); // a small object has one cell at least
    const inside = emit.mul(g, emit.isPositive(g, emit.sub(g, at, low)), emit.isPositive(g, emit.sub(g, high, at)));
    return emit.mul(g, near, emit.binary(g, 'Max', middle, inside));
  };
  const extent = emit.mul(g, emit.sub(g, side(2), side(0)), emit.sub(g, side(3), side(1)));
  const smallness = emit.unary(g, 'Reciprocal', emit.add(g, emit.unary(g, 'Relu', extent), g.scalar(1)));
  const fitness = emit.mul(g, emit.mul(g, within(0), within(1)), emit.mul(g, smallness, present(g, objects)));
  return assign(g, fitness, { objects, classes });
}
