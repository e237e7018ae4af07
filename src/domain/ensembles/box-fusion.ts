import { type Detection, intersectionOverUnion } from '../average-precision.ts';

/** Boxes that overlap a fused box by more are of the same object; the value of the paper. */
const SAME_OBJECT = 0.55;

/** What a member found in an image, and what it counts. */
export interface FoundByMember {
  found: readonly Detection[];
  weight: number;
}

/**
 * Weighted box fusion (Solovyev, Wang, Gabruseva 2021, Weighted boxes fusion: ensembling boxes from different object detection models):
 * boxes of one class that overlap become one, whose place is the mean of theirs, weighted by score and member, and whose score is the
 * mean over the members' weights: a member that has not found the object counts as 0. Of several boxes of one member in it, the best
 * counts for the score. The best first.
 */
export function fuseBoxes(members: readonly FoundByMember[]): Detection[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const [only, ...others] = members;
  if (only !== undefined && others.length === 0) return [...only.found];
  const boxes = members.flatMap(({ found, weight }, member) => found.map((box) => ({ box, weight, member })));
  boxes.sort((a, b) => b.weight * b.box.score - a.weight * a.box.score);
  const objects: FusedObject[] = [];
  for (const one of boxes) {
    let [best, overlap] = [undefined as FusedObject | undefined, SAME_OBJECT];
    for (const object of objects) {
      if (object.label !== one.box.label) continue;
      const shared = intersectionOverUnion(object, one.box);
      if (shared > overlap) [best, overlap] = [object, shared];
    }
    if (best === undefined) objects.push(newObject(one));
    else add(best, one);
  }
  return objects
    .map(({ label, x, y, w, h, scores }): Detection => {
      const score = [...scores.values()].reduce((sum, value) => sum + value, 0) / total;
      return { label, score, x, y, w, h };
    })
    .sort((a, b) => b.score - a.score);
}

interface WeightedBox {
  box: Detection;
  weight: number;
  member: number;
}

/** Boxes that are taken for the same object: their weighted mean, and the best weighted score of each member. */
interface FusedObject extends Omit<Detection, 'score'> {
  mass: number;
  scores: Map<number, number>;
}

function newObject({ box, weight, member }: WeightedBox): FusedObject {
  const { label, score, x, y, w, h } = box;
  return { label, x, y, w, h, mass: weight * score, scores: new Map([[member, weight * score]]) };
}

function add(object: FusedObject, { box, weight, member }: WeightedBox): void {
  const mass = weight * box.score;
  const share = mass / (object.mass + mass);
  for (const side of ['x', 'y', 'w', 'h'] as const) object[side] += share * (box[side] - object[side]);
  object.mass += mass;
  if (!object.scores.has(member)) object.scores.set(member, mass); // its best: boxes come in the order of their scores
}
