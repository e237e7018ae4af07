import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { Network, Values } from '../../graph/network.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { clip, exp } from '../../graph/ops/elementwise.ts';
import { concat, slice, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import type { NetworkFamily } from '../family.ts';
import { type AnchorHead, anchorHeadParameters, anchorRows } from './anchor-head.ts';
import { anchorBoxes } from './anchors.ts';
import { type AnchorTargets, assign, boxColumns, isBetween, isPresent } from './assign.ts';
import { type BackboneSize, backbone, pyramidChannels } from './backbone.ts';
import { type DetectionTask, detectionTask, detector } from './detector.ts';
import { backboneKnobs, detectionSpace, detectorBasics } from './knobs.ts';
import { centreOn, coordinate } from './overlap.ts';
import { type AnchorPredictions, qualityLoss } from './quality-loss.ts';

/**
 * YOLO (Redmon et al. 2016, "You Only Look Once", figure 2; Redmon and Farhadi 2018): one pass, in which each cell of
 * a grid predicts an object. Changed for few images: one grid of stride 8 over a feature pyramid instead of three; no default
 * boxes, a cell predicts the distances to the sides of its box (Tian et al. 2019); the 3×3 cells around an object's centre are
 * assigned to it; one number per class for probability and overlap (quality focal loss, Li et al. 2020), and GIoU for the boxes.
 */
export const yolo: NetworkFamily = {
  name: 'yolo',
  title: 'YOLO: a grid of cells, each of which predicts an object',
  space: detectionSpace,
  network: (features, knobs) => yoloNetwork({ ...detectionTask(features, knobs), ...backboneKnobs(knobs) }),
  ...detectorBasics,
};

const stride = 8;

/** Maximum distance of the centres of a cell and its object on each axis, in cells: 3×3 cells. */
const reach = 1.5;

/** The distance to a box's side is e^z times this share of the image's side: half of an object of medium size. */
const distanceScale = 0.2;

function yoloNetwork(size: DetectionTask & BackboneSize): Network {
  const { image, classes } = size;
  const body = backbone(size);
  const head: AnchorHead = { name: 'head', channels: pyramidChannels(size), anchors: 1, classes };

  const predictCells = (t: Tape, inputs: Values, weights: Values): AnchorPredictions => {
    const map = body.features(t, inputs, { weights, image })[stride];
    const { logits, boxes: sides } = anchorRows(t, map, { head, weights });
    return { logits, boxes: boxesOf(t, sides, image.side) };
  };

  return detector({
    task: size,
    parameters: { ...body.parameters, ...anchorHeadParameters(head) },
    loss(t, { inputs, objects, weights }) {
      const g = t.graph;
      const { logits, boxes } = predictCells(t, inputs, weights);
      const targets = assignCells(g, objects, { centres: cellCentres(g, image.side), classes });
      return qualityLoss(t, { logits, boxes }, targets);
    },
    predict(t, inputs, weights) {
      const { logits, boxes } = predictCells(t, inputs, weights);
      return { boxes, scores: transpose(t, emit.unary(t.graph, 'Sigmoid', logits), [0, 2, 1]) };
    },
  });
}

/** Centres of the cells as boxes without extent: [A, 4]. */
const cellCentres = (g: Graph, side: number): Value =>
  g.shared(`cells ${side}`, () => anchorBoxes(g, side, [{ stride, shapes: [{ w: 0, h: 0 }] }]));

/** From the logarithms of the distances to left, top, right, bottom: [N, A, 4]. */
function boxesOf(t: Tape, sides: Value, side: number): Value {
  const g = t.graph;
  const distances = mul(t, exp(t, clip(t, sides, -6, 3)), g.scalar(distanceScale * side));
  const [before, after] = [
    slice(t, distances, { axis: 2, start: 0, end: 2 }),
    slice(t, distances, { axis: 2, start: 2, end: 4 }),
  ];
  const signed = concat(t, [mul(t, before, g.scalar(-1)), after], 2);
  return add(t, signed, cellCentres(g, side));
}

/** Assigns each cell the smallest object whose centre is near and which contains the cell's centre. */
function assignCells(
  g: Graph,
  objects: Value,
  { centres, classes }: { centres: Value; classes: number },
): AnchorTargets {
  const [n = 1, m = 1] = objects.shape;
  const boxes = boxColumns(g, objects);
  const side = (i: number): Value => emit.reshape(g, coordinate(g, boxes, i), [n, 1, m]);
  const within = (axis: 0 | 1): Value => {
    const middle = emit.reshape(g, centreOn(g, boxes, axis), [n, 1, m]);
    const distance = emit.unary(g, 'Abs', emit.sub(g, middle, centreOn(g, centres, axis)));
    const near = emit.isPositive(g, emit.sub(g, g.scalar(reach * stride), distance));
    const isNearest = emit.isNotNegative(g, emit.sub(g, g.scalar(stride / 2), distance)); // a small object has at least one cell
    return emit.mul(g, near, emit.binary(g, 'Max', isNearest, isBetween(g, centres, objects, axis)));
  };
  const area = emit.mul(g, emit.sub(g, side(2), side(0)), emit.sub(g, side(3), side(1)));
  const inverseArea = emit.unary(g, 'Reciprocal', emit.add(g, emit.unary(g, 'Relu', area), g.scalar(1)));
  const fitness = emit.mul(g, emit.mul(g, within(0), within(1)), emit.mul(g, inverseArea, isPresent(g, objects)));
  return assign(g, fitness, { objects, classes, anchors: centres });
}
