import type { Rng } from '../../../runtime/rng.ts';

/** Parameters of Adam (Kingma and Ba 2015). */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-5];

/** What Adam needs to continue: the moments of the gradient, and the number of steps. */
export interface AdamState {
  first: number[];
  second: number[];
  steps: number;
}

/** Numbers of inputs that all actions of a state share, of inputs of their own, and of hidden units. */
export interface TanhShape {
  shared: number;
  own: number;
  units: number;
}

/**
 * y = v · tanh(W [s; x] + b) + c: one hidden layer and one output, for each action x of a state s. What s contributes is
 * computed once for all of them: `begin`, then any number of `output` and `addGradient`, then `endGradient`. Weights are one
 * array: W, of whose rows the last value is b, then v and c. Nothing is allocated.
 */
export class TanhNetwork {
  readonly weights: Float64Array;
  readonly #shape: TanhShape;
  readonly #gradient: Float64Array;
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  #steps = 0;
  /** By hidden unit: W s + b, and the gradient with respect to it. */
  readonly #base: Float64Array;
  readonly #slopes: Float64Array;

  constructor(shape: TanhShape, rng: Rng) {
    const { shared, own, units } = shape;
    const inputs = shared + own;
    const output = units * (inputs + 1);
    this.#shape = shape;
    // The output is almost 0 at first: all actions are equally likely.
    this.weights = Float64Array.from(
      { length: output + units + 1 },
      (_, i) => rng.normal() * (i < output ? Math.sqrt(1 / inputs) : 0.01 / Math.sqrt(units)),
    );
    this.#gradient = new Float64Array(this.weights.length);
    this.#first = new Float64Array(this.weights.length);
    this.#second = new Float64Array(this.weights.length);
    this.#base = new Float64Array(units);
    this.#slopes = new Float64Array(units);
  }

  /** The state of the next actions, [shared]. */
  begin(state: Float64Array): void {
    const { weights } = this;
    const { shared, own, units } = this.#shape;
    this.#slopes.fill(0);
    for (let unit = 0; unit < units; unit++) {
      const row = unit * (shared + own + 1);
      let sum = weights[row + shared + own]!;
      for (let i = 0; i < shared; i++) sum += weights[row + i]! * state[i]!;
      this.#base[unit] = sum;
    }
  }

  /** y of the action whose inputs begin at `x[at]`; writes the hidden units, tanh(…), to `hidden`. */
  output(x: Float64Array, at: number, hidden: Float64Array): number {
    const { weights } = this;
    const { shared, own, units } = this.#shape;
    const output = units * (shared + own + 1);
    let y = weights[output + units]!;
    for (let unit = 0; unit < units; unit++) {
      const row = unit * (shared + own + 1) + shared;
      let sum = this.#base[unit]!;
      for (let i = 0; i < own; i++) sum += weights[row + i]! * x[at + i]!;
      const active = Math.tanh(sum);
      hidden[unit] = active;
      y += weights[output + unit]! * active;
    }
    return y;
  }

  /** Adds `slope` · ∂y / ∂weights to the gradient; `hidden` as `output` wrote it for this action. */
  addGradient(x: Float64Array, at: number, { hidden, slope }: { hidden: Float64Array; slope: number }): void {
    const { weights } = this;
    const gradient = this.#gradient;
    const { shared, own, units } = this.#shape;
    const output = units * (shared + own + 1);
    for (let unit = 0; unit < units; unit++) {
      const active = hidden[unit]!;
      gradient[output + unit]! += slope * active;
      const back = slope * weights[output + unit]! * (1 - active * active);
      const row = unit * (shared + own + 1) + shared;
      for (let i = 0; i < own; i++) gradient[row + i]! += back * x[at + i]!;
      this.#slopes[unit]! += back;
    }
    gradient[output + units]! += slope;
  }

  /** The shared part of the gradient, after all actions of this state. */
  endGradient(state: Float64Array): void {
    const gradient = this.#gradient;
    const { shared, own, units } = this.#shape;
    for (let unit = 0; unit < units; unit++) {
      const row = unit * (shared + own + 1);
      const slope = this.#slopes[unit]!;
      for (let i = 0; i < shared; i++) gradient[row + i]! += slope * state[i]!;
      gradient[row + shared + own]! += slope;
    }
  }

  /** One step of Adam down the gradient, which then is 0. */
  step(learningRate: number): void {
    this.#steps++;
    const { weights } = this;
    const [gradient, first, second] = [this.#gradient, this.#first, this.#second];
    const rate = (learningRate * Math.sqrt(1 - BETA2 ** this.#steps)) / (1 - BETA1 ** this.#steps);
    for (let i = 0; i < weights.length; i++) {
      const slope = gradient[i]!;
      first[i] = BETA1 * first[i]! + (1 - BETA1) * slope;
      second[i] = BETA2 * second[i]! + (1 - BETA2) * slope * slope;
      weights[i]! -= (rate * first[i]!) / (Math.sqrt(second[i]!) + EPSILON);
    }
    gradient.fill(0);
  }

  get adam(): AdamState {
    return { first: Array.from(this.#first), second: Array.from(this.#second), steps: this.#steps };
  }

  set adam({ first, second, steps }: AdamState) {
    this.#first.set(first);
    this.#second.set(second);
    this.#steps = steps;
  }
}
