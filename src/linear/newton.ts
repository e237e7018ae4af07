import type { ScoreLoss } from './losses.ts';
import { multiply, multiplyTransposed, type SparseRows } from './sparse-rows.ts';

/** min over W of ½‖W‖² + C · loss(b + X·W); the bias b is not penalised. */
export interface LinearProblem {
  rows: SparseRows;
  loss: ScoreLoss;
  /** Rows of W: the bias, and the columns of the rows. */
  columns: number;
}

/** A step is solved to this share of the gradient (LIBLINEAR), with as many products at most. */
const INNER_TOLERANCE = 0.1;
const MAX_PRODUCTS = 40;
/** Of the decrease that the slope promises, for a step to be taken (Armijo). */
const ENOUGH = 0.01;
const MAX_HALVINGS = 30;

/**
 * Truncated Newton's method (Lin, Weng and Keerthi 2008), with a line search in place of a trust region: scores along a step are sums of two
 * vectors, so that a longer or shorter one costs no pass over the rows. W is rounded to float32 after each iteration, so that it is all
 * that a checkpoint needs.
 */
export class LinearFit {
  readonly problem: LinearProblem;
  /** [columns, width] */
  w: Float32Array;
  readonly #scores: Float64Array;
  readonly #changes: Float64Array;
  readonly #gradient: Float64Array;
  readonly #step: Float64Array;
  #zeroNorm: number | undefined;

  constructor(problem: LinearProblem) {
    const { loss, columns } = problem;
    this.problem = problem;
    this.w = new Float32Array(columns * loss.width);
    this.#scores = new Float64Array(loss.rows * loss.width);
    this.#changes = new Float64Array(loss.rows * loss.width);
    this.#gradient = new Float64Array(columns * loss.width);
    this.#step = new Float64Array(columns * loss.width);
  }

  /** The mean loss of a row. */
  meanLoss(): number {
    const { rows, loss } = this.problem;
    multiply(rows, this.w, loss.width, this.#scores);
    return loss.value(this.#scores) / Math.max(1, loss.rows);
  }

  /**
   * One iteration, which yields between passes over the rows, and changes W at its end only. Returns whether W was the solution already: whether
   * the gradient has at most `tolerance` of its norm at zero.
   */
  *iterate(c: number, tolerance: number): Generator<void, boolean> {
    const { rows, loss } = this.problem;
    const [scores, changes, gradient, step] = [this.#scores, this.#changes, this.#gradient, this.#step];
    this.#zeroNorm ??= this.#gradientAtZero();
    multiply(rows, this.w, loss.width, scores);
    yield;
    const value = this.#penalty(this.w) + c * loss.value(scores);
    loss.slopes(scores, changes);
    gradient.fill(0);
    multiplyTransposed(rows, changes, loss.width, gradient);
    this.#finish(gradient, this.w, c);
    yield;
    const norm = Math.sqrt(dot(gradient, gradient));
    if (!(norm > tolerance * c * this.#zeroNorm)) return true;
    yield* this.#solve(c, norm);
    multiply(rows, step, loss.width, changes);
    const size = this.#stepSize(c, value);
    if (size === 0) return true; // as exact as float32 can be
    const next = this.w.slice();
    for (let i = 0; i < next.length; i++) next[i]! += size * (step[i] as number);
    this.w = next;
    return false;
  }

  /** Conjugate gradients for H·s = −g. */
  *#solve(c: number, norm: number): Generator<void, void> {
    const { rows, loss } = this.problem;
    const step = this.#step.fill(0);
    const residual = this.#gradient.map((slope) => -slope);
    const direction = residual.slice();
    const product = new Float64Array(step.length);
    let square = norm * norm;
    for (let i = 0; i < MAX_PRODUCTS && Math.sqrt(square) > INNER_TOLERANCE * norm; i++) {
      multiply(rows, direction, loss.width, this.#changes);
      loss.bend(this.#changes);
      yield;
      product.fill(0);
      multiplyTransposed(rows, this.#changes, loss.width, product);
      this.#finish(product, direction, c);
      const curve = dot(direction, product);
      if (!(curve > 0)) break;
      const size = square / curve;
      for (let j = 0; j < step.length; j++) {
        step[j]! += size * (direction[j] as number);
        residual[j]! -= size * (product[j] as number);
      }
      const next = dot(residual, residual);
      for (let j = 0; j < step.length; j++)
        direction[j] = (residual[j] as number) + (next / square) * (direction[j] as number);
      square = next;
      yield;
    }
  }

  /** Halved until the value falls enough; 0 if it never does. Scores and their changes along the step are known. */
  #stepSize(c: number, value: number): number {
    const { loss } = this.problem;
    const [w, step, scores, changes] = [this.w, this.#step, this.#scores, this.#changes];
    const slope = dot(this.#gradient, step);
    const own = this.#penalty(w);
    const [cross, square] = [this.#penalised(w, step), 2 * this.#penalty(step)];
    const moved = new Float64Array(scores.length);
    for (let halving = 0, size = 1; halving < MAX_HALVINGS; halving++, size /= 2) {
      for (let i = 0; i < moved.length; i++) moved[i] = (scores[i] as number) + size * (changes[i] as number);
      const penalty = own + size * cross + 0.5 * size * size * square;
      if (penalty + c * loss.value(moved) <= value + ENOUGH * size * slope) return size;
    }
    return 0;
  }

  /** c · sums, and for all but the bias the penalty's part. */
  #finish(sums: Float64Array, of: Float32Array | Float64Array, c: number): void {
    const { width } = this.problem.loss;
    for (let i = 0; i < sums.length; i++) sums[i] = c * (sums[i] as number) + (i < width ? 0 : (of[i] as number));
  }

  /** Without C. */
  #gradientAtZero(): number {
    const { rows, loss } = this.problem;
    loss.slopes(this.#scores.fill(0), this.#changes);
    multiplyTransposed(rows, this.#changes, loss.width, this.#gradient.fill(0));
    return Math.sqrt(dot(this.#gradient, this.#gradient));
  }

  #penalty(w: Float32Array | Float64Array): number {
    return 0.5 * this.#penalised(w, w);
  }

  #penalised(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
    let sum = 0;
    for (let i = this.problem.loss.width; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
    return sum;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
