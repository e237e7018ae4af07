import type { Rng } from '../../runtime/rng.ts';

/** Weights of an actor-critic as plain data, stored across restarts. */
interface NetworkWeights {
  inputs: number;
  actions: number;
  /**
   * [hidden, inputs + 1] and [actions + 1, hidden + 1], row-major: the last column is the bias, the last row the value.
   */
  hidden: number[];
  heads: number[];
}

/** The network's output for one state. */
export interface Evaluation {
  features: Float64Array;
  hidden: Float64Array;
  /** Probability of each action. */
  probabilities: Float64Array;
  value: number;
}

/** One decision and its return. */
export interface Experience {
  opinion: Evaluation;
  action: number;
  /** Observed return. */
  target: number;
}

const HIDDEN = 64;
const LEARNING_RATE = 1e-3;
const ENTROPY = 0.01;
/** Parameters of Adam. */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

/** A layer of 64 tanh units with two heads, π(a | s) and V(s), trained by advantage actor-critic with Adam. */
export class ActorCriticNetwork {
  readonly #inputs: number;
  readonly #actions: number;
  readonly #hidden: Adam;
  readonly #heads: Adam;

  constructor(inputs: number, actions: number, rng: Rng) {
    this.#inputs = inputs;
    this.#actions = actions;
    this.#hidden = new Adam(HIDDEN * (inputs + 1), () => rng.normal() / Math.sqrt(inputs));
    this.#heads = new Adam((actions + 1) * (HIDDEN + 1), () => (0.01 * rng.normal()) / Math.sqrt(HIDDEN));
  }

  get weights(): NetworkWeights {
    const [hidden, heads] = [Array.from(this.#hidden.values), Array.from(this.#heads.values)];
    return { inputs: this.#inputs, actions: this.#actions, hidden, heads };
  }

  /** Returns false, without any change, if the weights do not have this network's shape. */
  restore(weights: unknown): boolean {
    if (!isWeights(weights)) return false;
    const { inputs, actions, hidden, heads } = weights;
    if (inputs !== this.#inputs || actions !== this.#actions) return false;
    if (hidden.length !== this.#hidden.values.length || heads.length !== this.#heads.values.length) return false;
    this.#hidden.values.set(hidden);
    this.#heads.values.set(heads);
    return true;
  }

  evaluate(features: Float64Array): Evaluation {
    const hidden = apply(this.#hidden.values, features, HIDDEN).map(Math.tanh);
    const out = apply(this.#heads.values, hidden, this.#actions + 1);
    const logits = out.subarray(0, this.#actions);
    const max = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp(logit - max));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { features, hidden, probabilities: weights.map((w) => w / sum), value: out[this.#actions]! };
  }

  /**
   * One step down the gradient of −A log π(a) − .01 H(π) + ½ (V − G)² over some decisions, A = (G − V) / its standard
   * deviation.
   */
  learn(lessons: readonly Experience[]): void {
    const errors = lessons.map(({ opinion, target }) => target - opinion.value);
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / lessons.length) + EPSILON;
    lessons.forEach(({ opinion, action }, i) => {
      const { probabilities } = opinion;
      const advantage = errors[i]! / spread;
      const entropy = -probabilities.reduce((sum, p) => sum + p * Math.log(p + 1e-12), 0);
      const slopes = new Float64Array(this.#actions + 1);
      probabilities.forEach((p, a) => {
        slopes[a] = advantage * (p - (a === action ? 1 : 0)) + ENTROPY * p * (Math.log(p + 1e-12) + entropy);
      });
      slopes[this.#actions] = -errors[i]!;
      this.#learnOne(opinion, slopes, lessons.length);
    });
    this.#hidden.step();
    this.#heads.step();
  }

  #learnOne({ features, hidden }: Evaluation, slopes: Float64Array, count: number): void {
    const back = new Float64Array(HIDDEN);
    slopes.forEach((slope, a) => {
      const row = a * (HIDDEN + 1);
      for (let h = 0; h < HIDDEN; h++) {
        back[h]! += slope * this.#heads.values[row + h]!;
        this.#heads.gradient[row + h]! += (slope * hidden[h]!) / count;
      }
      this.#heads.gradient[row + HIDDEN]! += slope / count;
    });
    for (let h = 0; h < HIDDEN; h++) {
      const slope = (back[h]! * (1 - hidden[h]! ** 2)) / count;
      const row = h * (this.#inputs + 1);
      for (let i = 0; i < this.#inputs; i++) this.#hidden.gradient[row + i]! += slope * features[i]!;
      this.#hidden.gradient[row + this.#inputs]! += slope;
    }
  }
}

function isWeights(data: unknown): data is NetworkWeights {
  if (typeof data !== 'object' || data === null) return false;
  if (!('inputs' in data && 'actions' in data && 'hidden' in data && 'heads' in data)) return false;
  return [data.hidden, data.heads].every((values) => Array.isArray(values) && values.every(Number.isFinite));
}

/** y = W x + b; W has `rows` rows, each with its bias at the end. */
function apply(weights: Float64Array, x: Float64Array, rows: number): Float64Array {
  const y = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = r * (x.length + 1);
    let sum = weights[row + x.length]!;
    for (let i = 0; i < x.length; i++) sum += weights[row + i]! * x[i]!;
    y[r] = sum;
  }
  return y;
}

class Adam {
  readonly values: Float64Array;
  readonly gradient: Float64Array;
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  #steps = 0;

  constructor(size: number, initial: () => number) {
    this.values = Float64Array.from({ length: size }, initial);
    this.gradient = new Float64Array(size);
    this.#first = new Float64Array(size);
    this.#second = new Float64Array(size);
  }

  step(): void {
    this.#steps++;
    const rate = (LEARNING_RATE * Math.sqrt(1 - BETA2 ** this.#steps)) / (1 - BETA1 ** this.#steps);
    this.gradient.forEach((slope, i) => {
      this.#first[i] = BETA1 * this.#first[i]! + (1 - BETA1) * slope;
      this.#second[i] = BETA2 * this.#second[i]! + (1 - BETA2) * slope ** 2;
      this.values[i]! -= (rate * this.#first[i]!) / (Math.sqrt(this.#second[i]!) + EPSILON);
    });
    this.gradient.fill(0);
  }
}
