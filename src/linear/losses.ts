/** A convex loss of the scores of all rows, [rows, width]. */
export interface ScoreLoss {
  /** Scores of a row. */
  readonly width: number;
  readonly rows: number;
  /** The sum over all rows. */
  value(scores: Float64Array): number;
  /** The first derivatives by the scores into `slopes`; `bend` then is at these scores. */
  slopes(scores: Float64Array, slopes: Float64Array): void;
  /** Multiplies changes of the scores by the second derivatives, in place. */
  bend(changes: Float64Array): void;
}

export type ClassLoss = 'logistic' | 'squared_hinge';
export type NumberLoss = 'squared_error' | 'huber';

/** What is learnt of each row: the number of its class, or a number; and how much it counts, 1 if not given. */
export interface RowTargets {
  values: Int32Array | Float64Array;
  counts?: Float32Array | undefined;
}

/** Of two classes the scores are one, which is positive for the second; otherwise one for each class. */
export const scoreWidth = (classes: number): number => (classes <= 2 ? 1 : classes);

/** log(1 + e^z) without overflow. */
const softplus = (z: number): number => (z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)));
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

const countOf = ({ counts }: RowTargets, row: number): number => counts?.[row] ?? 1;

/** Of classes by number. */
export function classLoss(name: ClassLoss, targets: RowTargets, classes: number): ScoreLoss {
  if (name === 'squared_hinge') return squaredHinge(targets, scoreWidth(classes));
  return classes <= 2 ? logistic(targets) : softmax(targets, classes);
}

/** Σ log(1 + exp(−y z)), y = ±1. */
function logistic(targets: RowTargets): ScoreLoss {
  const { values } = targets;
  const rows = values.length;
  const curves = new Float64Array(rows);
  return {
    ...{ width: 1, rows },
    value(scores) {
      let sum = 0;
      for (let row = 0; row < rows; row++)
        sum += countOf(targets, row) * softplus(values[row] === 1 ? -(scores[row] as number) : (scores[row] as number));
      return sum;
    },
    slopes(scores, slopes) {
      for (let row = 0; row < rows; row++) {
        const p = sigmoid(scores[row] as number);
        slopes[row] = countOf(targets, row) * (p - (values[row] as number));
        curves[row] = countOf(targets, row) * p * (1 - p);
      }
    },
    bend: (changes) => scaleBy(changes, curves),
  };
}

/** Σ log Σ_k exp(z_k) − z_y; the second derivative times u is p ∘ (u − p·u). */
function softmax(targets: RowTargets, width: number): ScoreLoss {
  const { values } = targets;
  const rows = values.length;
  const p = new Float64Array(rows * width);
  /** Σ_k exp(z_k − max), and max. */
  const sumOf = (scores: Float64Array, at: number): [number, number] => {
    let max = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < width; k++) max = Math.max(max, scores[at + k] as number);
    let sum = 0;
    for (let k = 0; k < width; k++) sum += Math.exp((scores[at + k] as number) - max);
    return [sum, max];
  };
  return {
    ...{ width, rows },
    value(scores) {
      let total = 0;
      for (let row = 0; row < rows; row++) {
        const [sum, max] = sumOf(scores, row * width);
        total += countOf(targets, row) * (Math.log(sum) + max - (scores[row * width + Number(values[row])] as number));
      }
      return total;
    },
    slopes(scores, slopes) {
      for (let row = 0; row < rows; row++) {
        const at = row * width;
        const [sum, max] = sumOf(scores, at);
        const count = countOf(targets, row);
        for (let k = 0; k < width; k++) {
          const share = Math.exp((scores[at + k] as number) - max) / sum;
          p[at + k] = share;
          slopes[at + k] = count * (share - Number(k === values[row]));
        }
      }
    },
    bend(changes) {
      for (let row = 0; row < rows; row++) {
        const at = row * width;
        let mean = 0;
        for (let k = 0; k < width; k++) mean += (p[at + k] as number) * (changes[at + k] as number);
        const count = countOf(targets, row);
        for (let k = 0; k < width; k++)
          changes[at + k] = count * (p[at + k] as number) * ((changes[at + k] as number) - mean);
      }
    },
  };
}

/** Σ max(0, 1 − y z)², of each class against all others; the second derivative is the generalised one (Mangasarian 2002). */
function squaredHinge(targets: RowTargets, width: number): ScoreLoss {
  const { values } = targets;
  const rows = values.length;
  const curves = new Float64Array(rows * width);
  const isClass = (row: number, k: number): boolean => values[row] === (width === 1 ? 1 : k);
  const short = (score: number, positive: boolean): number => Math.max(0, 1 - (positive ? score : -score));
  return {
    ...{ width, rows },
    value(scores) {
      let sum = 0;
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < width; k++)
          sum += countOf(targets, row) * short(scores[row * width + k] as number, isClass(row, k)) ** 2;
      return sum;
    },
    slopes(scores, slopes) {
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < width; k++) {
          const positive = isClass(row, k);
          const by = short(scores[row * width + k] as number, positive);
          const count = 2 * countOf(targets, row);
          slopes[row * width + k] = (positive ? -count : count) * by;
          curves[row * width + k] = by > 0 ? count : 0;
        }
    },
    bend: (changes) => scaleBy(changes, curves),
  };
}

/** The standard deviation of a target is 1: a larger error counts in proportion to it only. */
const HUBER = 0.5;

/** Σ ½ r², r = z − y; of `huber` from {@link HUBER} on linear in |r| (Huber 1964). */
export function numberLoss(name: NumberLoss, targets: RowTargets): ScoreLoss {
  const { values } = targets;
  const rows = values.length;
  const limit = name === 'huber' ? HUBER : Number.POSITIVE_INFINITY;
  const curves = new Float64Array(rows);
  return {
    ...{ width: 1, rows },
    value(scores) {
      let sum = 0;
      for (let row = 0; row < rows; row++) {
        const size = Math.abs((scores[row] as number) - (values[row] as number));
        sum += countOf(targets, row) * (size <= limit ? 0.5 * size * size : limit * (size - 0.5 * limit));
      }
      return sum;
    },
    slopes(scores, slopes) {
      for (let row = 0; row < rows; row++) {
        const error = (scores[row] as number) - (values[row] as number);
        slopes[row] = countOf(targets, row) * Math.max(-limit, Math.min(limit, error));
        curves[row] = Math.abs(error) <= limit ? countOf(targets, row) : 0;
      }
    },
    bend: (changes) => scaleBy(changes, curves),
  };
}

function scaleBy(values: Float64Array, by: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i]! *= by[i] as number;
}
