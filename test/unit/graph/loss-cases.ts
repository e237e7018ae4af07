import type { Value } from '../../../src/graph/graph.ts';
import { losses } from '../../../src/graph/losses/registry.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import type { Tape } from '../../../src/graph/tape.ts';
import { floats, kinked, type OpCase, smooth } from './op-cases.ts';

const distributions = floats([2, 3], 0.9, 0.05, 0.05, 0.1, 0.2, 0.7);
const binary = floats([2, 3], 1, 0, 0, 0, 1, 1);
const qualities = floats([2, 3], 0.8, 0, 0, 0.3, 1, 0);
const numbers = floats([2, 3], 0.4, -1.2, 0, 2.1, -0.3, 0.7);
/** The second element is left out. */
const weights = floats([2, 3], 1, 0, 0.5, 2, 1, 0.25);
const classWeights = floats([3], 0.5, 2, 1);
const boxes = floats([4, 4], 0, 0, 2, 1.5, -1, -1, 1, 2, 3, 3, 4, 5, -0.4, 0.3, 0.9, 0.8);

const masked = (of: (name: string) => Value) => ({ weights: of('weights'), normaliser: 3 });

/** Boxes from a corner and the logarithms of their sides. */
function boxAt(t: Tape, of: (name: string) => Value): Value {
  return ops.concat(t, [of('corner'), ops.add(t, of('corner'), ops.exp(t, of('sides')))], 1);
}

/** One case for each loss of the registry, with weights. */
export const lossCases: Record<keyof typeof losses, OpCase> = {
  softmaxCrossEntropy: {
    tolerance: smooth,
    inputs: { x: [2, 3] },
    given: { distributions, classWeights },
    build: (t, of) => losses.softmaxCrossEntropy(t, of('x'), of('distributions'), { weights: of('classWeights') }),
  },
  sigmoidCrossEntropy: {
    tolerance: smooth,
    inputs: { x: [2, 3] },
    given: { qualities, weights },
    build: (t, of) => losses.sigmoidCrossEntropy(t, of('x'), of('qualities'), masked(of)),
  },
  focal: {
    tolerance: smooth,
    inputs: { x: [2, 3] },
    given: { binary, weights },
    build: (t, of) => losses.focal(t, of('x'), of('binary'), masked(of)),
  },
  qualityFocal: {
    tolerance: smooth,
    inputs: { x: [2, 3] },
    given: { qualities, weights },
    build: (t, of) => losses.qualityFocal(t, of('x'), of('qualities'), masked(of)),
  },
  huber: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { x: [2, 3] },
    given: { numbers, weights },
    build: (t, of) => losses.huber(t, of('x'), of('numbers'), { ...masked(of), delta: 0.7 }),
  },
  smoothL1: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { x: [2, 3] },
    given: { numbers, weights },
    build: (t, of) => losses.smoothL1(t, of('x'), of('numbers'), { ...masked(of), beta: 0.5 }),
  },
  meanSquaredError: {
    tolerance: smooth,
    inputs: { x: [2, 3] },
    given: { numbers, weights },
    build: (t, of) => losses.meanSquaredError(t, of('x'), of('numbers'), masked(of)),
  },
  iouLoss: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { corner: [4, 2], sides: [4, 2] },
    given: { boxes },
    build: (t, of) => losses.iouLoss(t, boxAt(t, of), of('boxes')),
  },
  giouLoss: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { corner: [4, 2], sides: [4, 2] },
    given: { boxes, share: floats([4, 1], 1, 0.5, 2, 0) },
    build: (t, of) => losses.giouLoss(t, boxAt(t, of), of('boxes'), { weights: of('share') }),
  },
};
