import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import { boxIou, giouLoss } from '../../graph/losses/box-overlap.ts';
import { qualityFocal } from '../../graph/losses/quality-focal.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { detach } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { countPositives, type PlaceTargets } from './assign.ts';

/** Weight of the boxes beside the classes. */
const boxWeight = 2;

/** What a detector of one stage says of its places. */
export interface Places {
  /** [N, A, C] */
  logits: Value;
  /** [N, A, 4] */
  boxes: Value;
}

/**
 * Quality focal loss of the classes, whose targets are the overlaps of the boxes as they are now (Li et al. 2020), so that a score
 * says how well a box lies, and GIoU loss of the boxes; both divided by the number of places that have an object.
 */
export function qualityLoss(t: Tape, { logits, boxes }: Places, wanted: PlaceTargets): Value {
  const g = t.graph;
  const overlap = boxIou(t, detach(t, boxes), wanted.boxes);
  const normaliser = countPositives(g, wanted.positive);
  const quality = qualityFocal(t, logits, emit.mul(g, wanted.classes, overlap), { normaliser });
  const boxed = giouLoss(t, boxes, wanted.boxes, { weights: wanted.positive, normaliser });
  return add(t, quality, mul(t, boxed, g.scalar(boxWeight)));
}
