import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import { boxIou, giouLoss } from '../../graph/losses/box-overlap.ts';
import { qualityFocal } from '../../graph/losses/quality-focal.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { detach } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { type AnchorTargets, countPositives } from './assign.ts';

/** Weight of the loss of boxes relative to that of classes. */
const boxWeight = 2;

/** Predictions of a one-stage detector for its anchors. */
export interface AnchorPredictions {
  /** [N, A, C] */
  logits: Value;
  /** [N, A, 4] */
  boxes: Value;
}

/**
 * Quality focal loss of the classes, whose targets are the overlaps of the predicted boxes with their objects (Li et al. 2020), so
 * that a score measures the quality of a box, without the anchors of objects that are mostly cut off, and GIoU loss of the boxes;
 * both divided by the number of anchors with an object.
 */
export function qualityLoss(t: Tape, { logits, boxes }: AnchorPredictions, targets: AnchorTargets): Value {
  const g = t.graph;
  const overlap = boxIou(t, detach(t, boxes), targets.boxes);
  const normaliser = countPositives(g, targets.positive);
  const classLoss = qualityFocal(t, logits, emit.mul(g, targets.classes, overlap), {
    weights: targets.known,
    normaliser,
  });
  const boxLoss = giouLoss(t, boxes, targets.boxes, { weights: targets.positive, normaliser });
  return add(t, classLoss, mul(t, boxLoss, g.scalar(boxWeight)));
}
