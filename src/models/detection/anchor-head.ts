import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import type { Tape } from '../../graph/tape.ts';
import { type ConvLayer, convNorm, convParameters } from '../image/layers.ts';
import { type HeadLayer, headLayerParameters, headRows, withPrior } from './heads.ts';

/** What a one-stage detector predicts for the anchors of a map: classes and boxes have a convolution each (Tian et al. 2019, FCOS). */
export interface AnchorHead {
  name: string;
  channels: number;
  /** Of each pixel. */
  anchors: number;
  classes: number;
}

/** Class logits of a map's anchors, [N, h·w·anchors, C], with the prior of {@link withPrior}, and four numbers for each box. */
export interface AnchorRows {
  logits: Value;
  boxes: Value;
}

export function anchorHeadParameters(head: AnchorHead): Record<string, ParameterSpec> {
  const { classes, boxes } = partsOf(head);
  return Object.assign(
    {},
    ...[classes, boxes].map(({ tower, out }) => ({ ...convParameters(tower), ...headLayerParameters(out) })),
  );
}

export function anchorRows(t: Tape, x: Value, { head, weights }: { head: AnchorHead; weights: Values }): AnchorRows {
  const { classes, boxes } = partsOf(head);
  const rows = ({ tower, out }: HeadPart): Value =>
    headRows(t, convNorm(t, x, { layer: tower, parameters: weights }), { layer: out, weights });
  return { logits: withPrior(t, rows(classes)), boxes: rows(boxes) };
}

interface HeadPart {
  tower: ConvLayer;
  out: HeadLayer;
}

function partsOf({ name, channels, anchors, classes }: AnchorHead): { classes: HeadPart; boxes: HeadPart } {
  const part = (of: string, numbers: number): HeadPart => ({
    tower: { name: `${name}.${of}`, from: channels, to: channels },
    out: { name: `${name}.${of}.out`, from: channels, anchors, numbers },
  });
  return { classes: part('classes', classes), boxes: part('boxes', 4) };
}
