import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import { smoothL1 } from '../../graph/losses/huber.ts';
import { softmaxCrossEntropy } from '../../graph/losses/softmax-cross-entropy.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { relu } from '../../graph/ops/activations.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { roiPool } from '../../graph/ops/convolution/roi-pool.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { reshape, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { decodeOffsets, encodeOffsets } from './anchors.ts';
import type { DetectorOutput } from './answer.ts';
import { type AnchorTargets, assign, boxColumns, classColumn, countPositives, match } from './assign.ts';
import { cutRows } from './heads.ts';

/** Stride of the map that regions are pooled from. */
const stride = 8;

/** Bins on each side of a region; the paper has 7 for regions four times as large. */
const bins = 5;

/** A region has an object if they overlap by half, else it is background. */
const matching = { min: 0.5, forced: false };

export interface RegionHeadSize {
  channels: number;
  classes: number;
  hidden: number;
}

export interface Regions {
  /** [N, R, 4] */
  regions: Value;
  weights: Values;
}

/** The second stage (Girshick 2015, Fast R-CNN, figure 1): the class of each region, and the offsets of its box. */
export function regionHead({ channels, classes, hidden }: RegionHeadSize) {
  const layers = { 'region.1': [channels * bins * bins, hidden], 'region.2': [hidden, hidden] } as const;
  const last = [hidden, classes + 1 + 4] as const;
  const parameters: Record<string, ParameterSpec> = {
    ...Object.assign({}, ...Object.entries(layers).map(([name, size]) => denseParameters(name, size, Math.sqrt(2)))),
    ...denseParameters('region.out', last, 0.1),
  };

  /** Class logits, background first, [N, R, C + 1]; offsets against the regions, [N, R, 4]. */
  const predictRegions = (t: Tape, x: Value, { regions, weights }: Regions): [Value, Value] => {
    const [n = 1, r = 1] = regions.shape;
    const scaled = emit.mul(t.graph, regions, t.graph.scalar(1 / stride));
    const pooled = roiPool(t, x, scaled, { size: bins });
    let y = reshape(t, pooled, [emit.dimOf(pooled, 0), channels * bins * bins]);
    for (const name of Object.keys(layers)) y = relu(t, dense(t, y, weights.of(`${name}.w`), weights.of(`${name}.b`)));
    const out = dense(t, y, weights.of('region.out.w'), weights.of('region.out.b'));
    return cutRows(t, reshape(t, out, [n, r, last[1]]), classes + 1);
  };

  const loss = (t: Tape, x: Value, { objects, ...input }: Regions & { objects: Value }): Value => {
    const g = t.graph;
    const [logits, offsets] = predictRegions(t, x, input);
    const { fitness } = match(g, input.regions, { objects, ...matching });
    const targets = assign(g, fitness, { objects, classes, anchors: input.regions });
    const classLoss = softmaxCrossEntropy(t, logits, withBackground(g, targets), { weights: targets.known });
    const targetOffsets = encodeOffsets(g, targets.boxes, input.regions);
    const normaliser = countPositives(g, targets.positive);
    return add(t, classLoss, smoothL1(t, offsets, targetOffsets, { weights: targets.positive, normaliser }));
  };

  const predict = (t: Tape, x: Value, given: Regions): Omit<DetectorOutput, 'frame' | 'side'> => {
    const g = t.graph;
    const [logits, offsets] = predictRegions(t, x, given);
    const all = g.node('Softmax', [logits], logits.shape, { attributes: { axis: -1 } });
    const scores = transpose(t, emit.slice(g, all, 2, 1), [0, 2, 1]);
    return { boxes: decodeOffsets(t, offsets, given.regions), scores };
  };

  return { parameters, loss, predict, trainingRegions };
}

/** Regions with the objects' own boxes in place of the worst proposals, so that there are positives before proposals are good. */
function trainingRegions(g: Graph, regions: Value, objects: Value): Value {
  const [proposals, max] = [Number(emit.dimOf(regions, 1)), Number(emit.dimOf(objects, 1))];
  const count = Math.min(max, Math.floor(proposals / 2));
  const first = emit.slice(g, objects, 1, 0, count);
  const worst = emit.slice(g, regions, 1, proposals - count, proposals);
  const isObject = emit.isNotNegative(g, classColumn(g, first));
  const isEmpty = emit.sub(g, g.scalar(1), isObject);
  const mixed = emit.add(g, emit.mul(g, boxColumns(g, first), isObject), emit.mul(g, worst, isEmpty));
  return emit.concat(g, [emit.slice(g, regions, 1, 0, proposals - count), mixed], 1);
}

const withBackground = (g: Graph, { positive, classes }: AnchorTargets): Value =>
  emit.concat(g, [emit.sub(g, g.scalar(1), positive), classes], 2);

function denseParameters(
  name: string,
  [from, to]: readonly [number, number],
  gain: number,
): Record<string, ParameterSpec> {
  return {
    [`${name}.w`]: { shape: [from, to], init: { kind: 'normal', deviation: gain / Math.sqrt(from) } },
    [`${name}.b`]: { shape: [to], init: { kind: 'zeros' } },
  };
}
