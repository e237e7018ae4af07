import { exactExp, exactLog, nearest, powerOfTwo } from './exact-math.ts';
import type { FeatureColumn } from './feature-bins.ts';
import type { BoostingSettings } from './settings.ts';

/** What rows should get: a number each, or the index of a class. */
export interface TreeTargets {
  values: Float32Array;
  weights?: Float32Array;
}

export interface ForestRows {
  columns: readonly FeatureColumn[];
  targets: TreeTargets;
}

/** Bits of the largest derivative of a row, and of a sum over all rows: doubles add integers of that size without rounding. */
const rowBits = 30;
const sumBits = 52;

/** Residuals may grow to this multiple of the largest one at the start; beyond it they count as such. */
const headroom = 4;

/** A loss with what all shares of the rows have in common: where scores start, and how derivatives become integers. */
export interface BoostingObjective {
  /** Scores of a row, each with a tree a round. */
  outputs: number;
  base: Float32Array;
  /** Value of 1 in an integer G or H: powers of two. */
  gradientUnit: number;
  hessianUnit: number;
  /** No row's G or H is larger, whatever its sign. */
  maxOfRow: number;
  /** Whether leaves are medians of residuals instead of Newton steps. */
  medians: boolean;
  /** Of scores [outputs][rows], what the derivatives of a round need; call it before a round's first tree. */
  prepare(scores: readonly Float64Array[]): void;
  /** Integer G and H of each row, [rows, 2], with respect to one of its scores. */
  derivatives(output: number, scores: readonly Float64Array[], targets: TreeTargets, into: Int32Array): void;
  /** Weighted mean over the rows. */
  loss(scores: readonly Float64Array[], targets: TreeTargets): number;
}

/** `targets` are those of all rows, in whatever shares they are trained on. */
export function createObjective(settings: BoostingSettings, targets: TreeTargets): BoostingObjective {
  if (settings.objective === 'log_loss')
    return settings.classes === 2 ? binaryLogLoss(targets) : multiclassLogLoss(targets, settings.classes);
  return settings.objective === 'squared_error' ? squaredError(targets) : absoluteError(targets);
}

function binaryLogLoss(targets: TreeTargets): BoostingObjective {
  const [other = 0, positive = 0] = classShares(targets, 2);
  const largest = largestWeight(targets);
  const units = unitsOf(targets, { gradient: largest, hessian: largest / 4 });
  return {
    outputs: 1,
    base: Float32Array.of(exactLog(positive / other)),
    ...units,
    medians: false,
    prepare: () => undefined,
    derivatives(_, [scores], { values, weights }, into) {
      const [g, h] = [1 / units.gradientUnit, 1 / units.hessianUnit];
      for (let i = 0; i < values.length; i++) {
        const weight = weights ? (weights[i] as number) : 1;
        const p = 1 / (1 + exactExp(-((scores as Float64Array)[i] as number)));
        into[2 * i] = nearest((p - (values[i] as number)) * weight * g);
        into[2 * i + 1] = atLeastOne(p * (1 - p) * weight * h, weight);
      }
    },
    loss: ([scores], truth) =>
      weightedMean(truth, (i, value) => {
        const margin = value > 0.5 ? (scores as Float64Array)[i] : -((scores as Float64Array)[i] as number);
        return exactLog(1 + exactExp(-Math.abs(margin as number))) + Math.max(0, -(margin as number));
      }),
  };
}

/** Second derivatives are doubled, as XGBoost does: a class's score also moves the shares of the others. */
function multiclassLogLoss(targets: TreeTargets, classes: number): BoostingObjective {
  const largest = largestWeight(targets);
  const units = unitsOf(targets, { gradient: largest, hessian: largest / 2 });
  let shares: Float64Array[] = [];
  return {
    outputs: classes,
    base: Float32Array.from(classShares(targets, classes), exactLog),
    ...units,
    medians: false,
    prepare(scores) {
      shares = softmax(scores);
    },
    derivatives(output, _, { values, weights }, into) {
      const own = shares[output] as Float64Array;
      const [g, h] = [1 / units.gradientUnit, 1 / units.hessianUnit];
      for (let i = 0; i < values.length; i++) {
        const weight = weights ? (weights[i] as number) : 1;
        const p = own[i] as number;
        into[2 * i] = nearest((p - (values[i] === output ? 1 : 0)) * weight * g);
        into[2 * i + 1] = atLeastOne(2 * p * (1 - p) * weight * h, weight);
      }
    },
    loss(scores, truth) {
      const all = softmax(scores);
      return weightedMean(truth, (i, value) => -exactLog(Math.max(1e-300, all[value]?.[i] ?? 0)));
    },
  };
}

/** ½ (score − target)², so that G is the difference; the loss is told without ½. */
function squaredError(targets: TreeTargets): BoostingObjective {
  const { values } = targets;
  let [sum, all] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const weight = targets.weights?.[i] ?? 1;
    sum += weight * (values[i] as number);
    all += weight;
  }
  const base = Math.fround(sum / all);
  const weight = largestWeight(targets);
  const bound = headroom * largestResidual(values, base);
  const units = unitsOf(targets, { gradient: bound * weight, hessian: weight });
  return {
    outputs: 1,
    base: Float32Array.of(base),
    ...units,
    medians: false,
    prepare: () => undefined,
    derivatives(_, [scores], truth, into) {
      const [g, h] = [1 / units.gradientUnit, 1 / units.hessianUnit];
      for (let i = 0; i < truth.values.length; i++) {
        const w = truth.weights ? (truth.weights[i] as number) : 1;
        const residual = ((scores as Float64Array)[i] as number) - (truth.values[i] as number);
        into[2 * i] = nearest(Math.max(-bound, Math.min(bound, residual)) * w * g);
        into[2 * i + 1] = atLeastOne(w * h, w);
      }
    },
    loss: ([scores], truth) =>
      weightedMean(truth, (i, value) => (((scores as Float64Array)[i] as number) - value) ** 2),
  };
}

function absoluteError(targets: TreeTargets): BoostingObjective {
  const base = weightedMedian(targets);
  const weight = largestWeight(targets);
  const units = unitsOf(targets, { gradient: weight, hessian: weight });
  return {
    outputs: 1,
    base: Float32Array.of(base),
    ...units,
    medians: true,
    prepare: () => undefined,
    derivatives(_, [scores], { values, weights }, into) {
      const [g, h] = [1 / units.gradientUnit, 1 / units.hessianUnit];
      for (let i = 0; i < values.length; i++) {
        const w = weights ? (weights[i] as number) : 1;
        into[2 * i] = nearest(Math.sign(((scores as Float64Array)[i] as number) - (values[i] as number)) * w * g);
        into[2 * i + 1] = atLeastOne(w * h, w);
      }
    },
    loss: ([scores], truth) =>
      weightedMean(truth, (i, value) => Math.abs(((scores as Float64Array)[i] as number) - value)),
  };
}

/** Probabilities [outputs][rows]. */
export function softmax(scores: readonly Float64Array[]): Float64Array[] {
  const shares = scores.map((own) => new Float64Array(own.length));
  for (let i = 0; i < (scores[0]?.length ?? 0); i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (const own of scores) largest = Math.max(largest, own[i] as number);
    let sum = 0;
    for (const [c, own] of scores.entries()) {
      const e = exactExp((own[i] as number) - largest);
      (shares[c] as Float64Array)[i] = e;
      sum += e;
    }
    for (const own of shares) own[i] = (own[i] as number) / sum;
  }
  return shares;
}

/** A row that counts has some second derivative, however certain its class is: leaves are divided by their sum. */
const atLeastOne = (value: number, weight: number): number => (weight === 0 ? 0 : Math.max(1, nearest(value)));

/** Powers of two that are as small as the number of bits allows. */
function unitsOf({ values }: TreeTargets, largest: { gradient: number; hessian: number }) {
  const bits = Math.min(rowBits, sumBits - exponent(values.length));
  return {
    gradientUnit: powerOfTwo(exponent(largest.gradient || 1) - bits),
    hessianUnit: powerOfTwo(exponent(largest.hessian || 1) - bits),
    maxOfRow: powerOfTwo(bits),
  };
}

/** The smallest k with 2^k ≥ value. */
function exponent(value: number): number {
  let k = -1000;
  while (k < 1000 && powerOfTwo(k) < value) k++;
  return k;
}

const largestWeight = ({ weights }: TreeTargets): number => weights?.reduce((a, b) => Math.max(a, b), 0) ?? 1;

const largestResidual = (values: Float32Array, base: number): number =>
  values.reduce((largest, value) => Math.max(largest, Math.abs(value - base)), 0);

/** Of each class its share of the weights, above zero also if it has no row. */
function classShares({ values, weights }: TreeTargets, classes: number): Float64Array {
  const sums = new Float64Array(classes);
  let all = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights?.[i] ?? 1;
    sums[values[i] as number] = (sums[values[i] as number] as number) + weight;
    all += weight;
  }
  return sums.map((sum) => Math.max(sum / all, 1e-9));
}

function weightedMedian({ values, weights }: TreeTargets): number {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  const weightOf = (i: number): number => weights?.[i] ?? 1;
  const half = order.reduce((sum, i) => sum + weightOf(i), 0) / 2;
  let sum = 0;
  for (const i of order) {
    sum += weightOf(i);
    if (sum >= half) return values[i] as number;
  }
  return 0;
}

function weightedMean({ values, weights }: TreeTargets, of: (i: number, value: number) => number): number {
  let [sum, all] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const weight = weights?.[i] ?? 1;
    sum += weight * of(i, values[i] as number);
    all += weight;
  }
  return sum / all;
}
