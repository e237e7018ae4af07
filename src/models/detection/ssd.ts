import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { Network, Values } from '../../graph/network.ts';
import { concat, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import type { NetworkFamily } from '../family.ts';
import { type AnchorHead, type AnchorRows, anchorHeadParameters, anchorRows } from './anchor-head.ts';
import { type AnchorMap, anchorBoxes, decodeOffsets, shapesOf } from './anchors.ts';
import { assign, match } from './assign.ts';
import { type BackboneSize, backbone, pyramidChannels, type Stride, strides } from './backbone.ts';
import { type DetectionTask, detectionTask, detector } from './detector.ts';
import { backboneKnobs, detectionSpace, detectorBasics } from './knobs.ts';
import { qualityLoss } from './quality-loss.ts';

/**
 * SSD (Liu et al. 2016, "Single Shot MultiBox Detector", figure 2): default boxes of several scales and shapes on maps of several
 * strides, matched to objects by overlap; each predicts a class and the offsets of its box. Changed for few images: three maps of a
 * feature pyramid instead of six of a pretrained VGG; quality focal loss (Li et al. 2020) in place of softmax with mined hard
 * negatives, and GIoU in place of smooth L1.
 */
export const ssd: NetworkFamily = {
  name: 'ssd',
  title: 'SSD: default boxes of several scales, fitted to objects',
  space: detectionSpace,
  network: (features, knobs) => ssdNetwork({ ...detectionTask(features, knobs), ...backboneKnobs(knobs) }),
  ...detectorBasics,
};

/** Sides of the default boxes of each map, as shares of the image's: the paper's range of 0.2 to 0.9. */
const scales: Readonly<Record<Stride, readonly [number, number]>> = { 8: [0.2, 0.3], 16: [0.42, 0.55], 32: [0.7, 0.9] };

/** Width divided by height of the boxes of a map's first scale; the second scale has one square. */
const ratios = [1, 2, 0.5];

/** A default box overlaps its object by at least 0.4, or more than all other boxes (section 2.2, with 0.5). */
const matching = { min: 0.4, forced: true };

const mapsOf = (side: number): AnchorMap[] =>
  strides.map((stride) => {
    const [first, second] = scales[stride];
    return { stride, shapes: [...shapesOf(side * first, ratios), ...shapesOf(side * second, [1])] };
  });

function ssdNetwork(size: DetectionTask & BackboneSize): Network {
  const { image, classes } = size;
  const body = backbone(size);
  const channels = pyramidChannels(size);
  const maps = mapsOf(image.side);
  const heads = strides.map((stride, i) => {
    const head: AnchorHead = { name: `head${stride}`, channels, anchors: maps[i]?.shapes.length ?? 0, classes };
    return { stride, head };
  });
  const defaults = (g: Graph): Value => g.shared('default boxes', () => anchorBoxes(g, image.side, maps));

  /** Logits, and offsets of the boxes. */
  const predictAnchors = (t: Tape, inputs: Values, weights: Values): AnchorRows => {
    const pyramid = body.features(t, inputs, { weights, image });
    const rows = heads.map(({ stride, head }) => anchorRows(t, pyramid[stride], { head, weights }));
    const joined = (part: keyof AnchorRows): Value =>
      concat(
        t,
        rows.map((map) => map[part]),
        1,
      );
    return { logits: joined('logits'), boxes: joined('boxes') };
  };

  return detector({
    task: size,
    parameters: Object.assign({ ...body.parameters }, ...heads.map(({ head }) => anchorHeadParameters(head))),
    loss(t, { inputs, objects, weights }) {
      const g = t.graph;
      const { logits, boxes: offsets } = predictAnchors(t, inputs, weights);
      const { fitness } = match(g, defaults(g), { objects, ...matching });
      const targets = assign(g, fitness, { objects, classes, anchors: defaults(g) });
      return qualityLoss(t, { logits, boxes: decodeOffsets(t, offsets, defaults(g)) }, targets);
    },
    predict(t, inputs, weights) {
      const { logits, boxes: offsets } = predictAnchors(t, inputs, weights);
      const scores = transpose(t, emit.unary(t.graph, 'Sigmoid', logits), [0, 2, 1]);
      return { boxes: decodeOffsets(t, offsets, defaults(t.graph)), scores };
    },
  });
}
