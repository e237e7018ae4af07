import * as emit from '../../graph/emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph/graph.ts';
import { focal } from '../../graph/losses/focal.ts';
import { smoothL1 } from '../../graph/losses/huber.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import type { Tape } from '../../graph/tape.ts';
import { type ConvLayer, convNorm, convParameters } from '../image/layers.ts';
import { type AnchorMap, anchorBoxes, decodeOffsets, encodeOffsets, shapesOf } from './anchors.ts';
import { takeRows } from './answer.ts';
import { assign, countPositives, match } from './assign.ts';
import { cutRows, type HeadLayer, headLayerParameters, headRows, withPrior } from './heads.ts';
import { suppress, topK } from './suppress.ts';

const stride = 16;

/** Sides of the anchors as shares of the image's; the paper's are 128, 256 and 512 of about 600 pixels. */
const scales = [0.2, 0.4, 0.75];
const ratios = [0.5, 1, 2];

/** Of two proposals that overlap more, only the better one is used (section 3.3). */
const maxOverlap = 0.7;

/** An anchor overlaps its object by at least 0.6, or more than all other anchors; below 0.3 it is background. */
const matching = { min: 0.6, max: 0.3, forced: true };

export interface Proposed {
  /** Logits of the presence of an object, [N, A, 1]. */
  logits: Value;
  /** Against the anchors, [N, A, 4]. */
  offsets: Value;
  /** The best boxes, [N, R, 4], within the image; without gradient. */
  regions: Value;
}

export interface ProposalSize {
  channels: number;
  side: number;
  proposals: number;
}

/** The region proposal network (Ren et al. 2015, section 3.1). */
export function regionProposals({ channels, side, proposals }: ProposalSize) {
  const map: AnchorMap = { stride, shapes: scales.flatMap((scale) => shapesOf(scale * side, ratios)) };
  const tower: ConvLayer = { name: 'propose', from: channels, to: channels };
  const out: HeadLayer = { name: 'proposals', from: channels, anchors: map.shapes.length, numbers: 5 };
  const parameters: Record<string, ParameterSpec> = { ...convParameters(tower), ...headLayerParameters(out) };
  const anchors = (g: Graph): Value => g.shared('anchors', () => anchorBoxes(g, side, [map]));

  const propose = (t: Tape, x: Value, weights: Values): Proposed => {
    const g = t.graph;
    const features = convNorm(t, x, { layer: tower, parameters: weights });
    const [raw, offsets] = cutRows(t, headRows(t, features, { layer: out, weights }), 1);
    const logits = withPrior(t, raw);
    const boxes = emit.clip(g, decodeOffsets(t, offsets, anchors(g)), 0, side);
    return { logits, offsets, regions: bestOf(g, { boxes, logits, proposals }) };
  };

  const loss = (t: Tape, { logits, offsets }: Proposed, objects: Value): Value => {
    const g = t.graph;
    const { fitness, notIgnored } = match(g, anchors(g), { objects, ...matching });
    const { positive, boxes, known } = assign(g, fitness, { objects, classes: 1, anchors: anchors(g) });
    const normaliser = countPositives(g, positive);
    const weights = emit.binary(g, 'Max', emit.mul(g, notIgnored, known), positive);
    const objectLoss = focal(t, logits, positive, { weights, normaliser });
    const targetOffsets = encodeOffsets(g, boxes, anchors(g));
    return add(t, objectLoss, smoothL1(t, offsets, targetOffsets, { weights: positive, normaliser }));
  };

  return { parameters, propose, loss };
}

function bestOf(g: Graph, { boxes, logits, proposals }: { boxes: Value; logits: Value; proposals: number }): Value {
  const [n = 1, a = 1] = logits.shape;
  const scores = emit.reshape(g, emit.unary(g, 'Sigmoid', logits), [n, 1, a]);
  const remaining = suppress(g, { boxes, scores, overlap: maxOverlap, minScore: 0 });
  const { indices } = topK(g, emit.reshape(g, remaining, [n, a]), proposals);
  const index = emit.cast(g, emit.reshape(g, indices, [n, proposals, 1]), 'int64', elementTypes.int64);
  return takeRows(g, boxes, index);
}
