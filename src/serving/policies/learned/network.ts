import type { Rng } from '../../../runtime/rng.ts';
import { ACTION_FEATURES, type Outlook, STATE_FEATURES } from './outlook.ts';
import { type AdamState, type SigmoidInputs, SigmoidNetwork } from './sigmoid-network.ts';

/** Weights of an actor-critic as plain data, stored across restarts. */
export interface NetworkWeights {
  actor: number[];
  critic: number[];
}

/** The network's output for one outlook. */
export interface Evaluation {
  /** Of each prospect. */
  probabilities: Float64Array;
  value: number;
}

/** One decision, what the network thought of it then, and its return. */
export interface Experience {
  outlook: Outlook;
  opinion: Evaluation;
  action: number;
  /** G, the observed return. */
  target: number;
  /** A, how much better it was than V(s), in a unit of choice: see {@link scaled}. */
  advantage: number;
}

/** How the network learns from some experiences. */
export interface LearningRule {
  rate: number;
  /** Weight of the entropy. */
  entropy: number;
}

const UNITS = 32;
const NOTHING = new Float64Array();
/** No difference of returns below this is worth learning from: once all requests are late, every reward is 0. */
const SMALLEST_SPREAD = 0.02;
/** A step that makes an action more than this more, or less, likely learns nothing more from it. */
const CLIP = 0.2;

/**
 * The actor gives each prospect a score, π(a | s) = softmax; the critic gives V(s). Trained by proximal policy optimisation
 * (Schulman et al. 2017), which is advantage actor-critic when every experience is used once.
 */
export class ActorCriticNetwork {
  readonly #actor: SigmoidNetwork;
  readonly #critic: SigmoidNetwork;
  /** By prospect, while it learns. */
  #probabilities = new Float64Array(64);
  #slopes = new Float64Array(64);
  /** Of the critic: one output. */
  readonly #value = new Float64Array(1);
  readonly #valueSlope = new Float64Array(1);

  constructor(rng: Rng) {
    this.#actor = new SigmoidNetwork({ shared: STATE_FEATURES, own: ACTION_FEATURES, units: UNITS }, rng);
    this.#critic = new SigmoidNetwork({ shared: STATE_FEATURES, own: 0, units: UNITS }, rng);
  }

  get weights(): NetworkWeights {
    return { actor: Array.from(this.#actor.weights), critic: Array.from(this.#critic.weights) };
  }

  /** Returns false, without any change, if the weights do not have this network's shape. */
  restore(weights: unknown): boolean {
    if (!isWeights(weights)) return false;
    const { actor, critic } = weights;
    if (actor.length !== this.#actor.weights.length || critic.length !== this.#critic.weights.length) return false;
    this.#actor.weights.set(actor);
    this.#critic.weights.set(critic);
    return true;
  }

  /** Weights as {@link encodeWeights} wrote them. */
  decode(text: string): void {
    const bytes = Buffer.from(text, 'base64');
    const weights = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
    const actors = this.#actor.weights.length;
    if (!this.restore({ actor: weights.slice(0, actors), critic: weights.slice(actors) }))
      throw new RangeError(`the network has not ${weights.length} weights`);
  }

  get adam(): Record<'actor' | 'critic', AdamState> {
    return { actor: this.#actor.adam, critic: this.#critic.adam };
  }

  set adam({ actor, critic }: Record<'actor' | 'critic', AdamState>) {
    this.#actor.adam = actor;
    this.#critic.adam = critic;
  }

  evaluate(outlook: Outlook): Evaluation {
    const probabilities = new Float64Array(outlook.prospects.length);
    return { probabilities, value: this.#forward(outlook, probabilities) };
  }

  /**
   * One step down the gradient of the mean over experiences of −min(ρ A, clip(ρ) A) − c H(π) + ½ (V − G)², where
   * ρ = π(a) / what it was when it was decided.
   */
  learn(experiences: readonly Experience[], { rate, entropy }: LearningRule): void {
    const share = 1 / experiences.length;
    for (const { outlook, opinion, action, target, advantage } of experiences) {
      const count = outlook.prospects.length;
      this.#makeRoom(count);
      const probabilities = this.#probabilities;
      const slopes = this.#slopes;
      this.#valueSlope[0] = share * (this.#forward(outlook, probabilities) - target);
      this.#critic.addGradient(criticInputs(outlook), this.#valueSlope);
      if (count === 1) continue; // nothing to choose
      const ratio = probabilities[action]! / opinion.probabilities[action]!;
      const isClipped = advantage > 0 ? ratio > 1 + CLIP : ratio < 1 - CLIP;
      const push = isClipped ? 0 : advantage * ratio;
      let h = 0;
      for (let a = 0; a < count; a++) h -= probabilities[a]! * Math.log(probabilities[a]! + 1e-12);
      for (let a = 0; a < count; a++) {
        const p = probabilities[a]!;
        const slope = push * (p - (a === action ? 1 : 0)) + entropy * p * (Math.log(p + 1e-12) + h);
        slopes[a] = share * slope;
      }
      this.#actor.addGradient(actorInputs(outlook), slopes);
    }
    this.#actor.step(rate);
    this.#critic.step(rate);
  }

  /** Returns V(s), and writes π(a | s) to the beginning of `probabilities`. */
  #forward(outlook: Outlook, probabilities: Float64Array): number {
    this.#critic.outputs(criticInputs(outlook), this.#value);
    const count = outlook.prospects.length;
    if (count === 1) probabilities[0] = 1;
    else {
      this.#actor.outputs(actorInputs(outlook), probabilities);
      softmax(probabilities, count);
    }
    return this.#value[0]!;
  }

  #makeRoom(count: number): void {
    if (this.#slopes.length >= count) return;
    this.#probabilities = new Float64Array(count);
    this.#slopes = new Float64Array(count);
  }
}

const criticInputs = ({ state }: Outlook): SigmoidInputs => ({ state, actions: NOTHING, count: 1 });

const actorInputs = ({ state, actions, prospects }: Outlook): SigmoidInputs => ({
  state,
  actions,
  count: prospects.length,
});

/** Of the first `count`, in place. */
function softmax(scores: Float64Array, count: number): void {
  let max = Number.NEGATIVE_INFINITY;
  for (let a = 0; a < count; a++) if (scores[a]! > max) max = scores[a]!;
  let sum = 0;
  for (let a = 0; a < count; a++) {
    const weight = Math.exp(scores[a]! - max);
    scores[a] = weight;
    sum += weight;
  }
  for (let a = 0; a < count; a++) scores[a]! /= sum;
}

/** Float32, little-endian, base64: the actor's, then the critic's. */
export const encodeWeights = ({ actor, critic }: NetworkWeights): string => {
  const bytes = Buffer.alloc(4 * (actor.length + critic.length));
  [...actor, ...critic].forEach((weight, i) => {
    bytes.writeFloatLE(weight, 4 * i);
  });
  return bytes.toString('base64');
};

/** Advantages divided by their root mean square, but by no less than {@link SMALLEST_SPREAD}. */
export function scaled(experiences: readonly Experience[]): Experience[] {
  let squares = 0;
  for (const { advantage } of experiences) squares += advantage * advantage;
  const spread = Math.max(SMALLEST_SPREAD, Math.sqrt(squares / experiences.length));
  return experiences.map(({ outlook, opinion, action, target, advantage }) => ({
    outlook,
    opinion,
    action,
    target,
    advantage: advantage / spread,
  }));
}

function isWeights(data: unknown): data is NetworkWeights {
  if (typeof data !== 'object' || data === null || !('actor' in data && 'critic' in data)) return false;
  return [data.actor, data.critic].every((values) => Array.isArray(values) && values.every(Number.isFinite));
}
