/** A probability of 0 counts as this much, as in scikit-learn for float32: one certain mistake does not make a loss infinite. */
export const MIN_PROBABILITY = 2 ** -23;

/** Temperatures are within these: few rows may all be right, and would ask for certainty. */
export const TEMPERATURES = { min: 0.2, max: 5 } as const;

/** Probabilities of the rows of a classifier; what a row's lack to 1 belongs to its other classes in equal shares. */
export interface ClassRows {
  /** Number of classes. */
  classes: number;
  /** Of these, those that have probabilities of their own in each row. */
  width: number;
  /** The k-th probability of a row, k < width. */
  probability(row: number, k: number): number;
  /** The probability of the right class. */
  right(row: number): number;
}

/**
 * The temperature T at which the probabilities softmax(log p / T) have the smallest log loss on these rows (Guo, Pleiss, Sun, Weinberger
 * 2017, On calibration of modern neural networks, section 4.2): the loss is convex in 1 / T, so Newton's method finds it, kept within the
 * bounds by halving.
 */
export function bestTemperature(given: ClassRows, rows: Int32Array): number {
  let [low, high] = [1 / TEMPERATURES.max, 1 / TEMPERATURES.min];
  if (rows.length === 0) return 1;
  let inverse = 1;
  for (let step = 0; step < MAX_STEPS; step++) {
    const { slope, curvature } = derivatives(given, rows, inverse);
    if (slope > 0) high = inverse;
    else low = inverse;
    const newton = inverse - slope / curvature;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - inverse) < PRECISION) return 1 / next;
    inverse = next;
  }
  return 1 / inverse;
}

const MAX_STEPS = 60;
const PRECISION = 1e-9;

/** Of the log loss by 1 / T: d/dβ = Σ (E[ln p] − ln p of the right class), d²/dβ² = Σ Var[ln p], under p^β / Σ p^β. */
function derivatives(given: ClassRows, rows: Int32Array, inverse: number): { slope: number; curvature: number } {
  const { classes, width } = given;
  const others = classes - width;
  let [slope, curvature] = [0, 0];
  for (const row of rows) {
    let [sum, first, second, known] = [0, 0, 0, 0];
    const add = (p: number, times: number): void => {
      const log = Math.log(Math.max(MIN_PROBABILITY, p));
      const share = times * Math.exp(inverse * log);
      sum += share;
      first += share * log;
      second += share * log * log;
    };
    for (let k = 0; k < width; k++) {
      const p = given.probability(row, k);
      known += p;
      add(p, 1);
    }
    if (others > 0) add((1 - known) / others, others);
    const mean = first / sum;
    slope += mean - Math.log(Math.max(MIN_PROBABILITY, given.right(row)));
    curvature += second / sum - mean * mean;
  }
  return { slope, curvature };
}

/**
 * Adds `weight` × softmax(log p / T) to `into`, where p are `classes` probabilities from `at`. Those with a temperature of 1 are added as
 * they are.
 */
export function addCalibrated(
  into: Float64Array,
  { output, at, temperature, weight }: { output: Float32Array; at: number; temperature: number; weight: number },
): void {
  const classes = into.length;
  if (temperature === 1) {
    for (let c = 0; c < classes; c++) into[c]! += weight * (output[at + c] as number);
    return;
  }
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += power(output[at + c] as number, temperature);
  for (let c = 0; c < classes; c++) into[c]! += (weight * power(output[at + c] as number, temperature)) / sum;
}

export const power = (probability: number, temperature: number): number =>
  Math.exp(Math.log(Math.max(MIN_PROBABILITY, probability)) / temperature);
