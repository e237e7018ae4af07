import type { Rng } from '../../../runtime/rng.ts';
import { ACTION_FEATURES, type Outlook, STATE_FEATURES } from './outlook.ts';
import { type AdamState, TanhNetwork } from './tanh-network.ts';

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
  readonly #actor: TanhNetwork;
  readonly #critic: TanhNetwork;
  readonly #criticHidden = new Float64Array(UNITS);
  /** Of each prospect. */
  #actorHidden: Float64Array[] = [];

  constructor(rng: Rng) {
    this.#actor = new TanhNetwork({ shared: STATE_FEATURES, own: ACTION_FEATURES, units: UNITS }, rng);
    this.#critic = new TanhNetwork({ shared: STATE_FEATURES, own: 0, units: UNITS }, rng);
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

  evaluate({ state, actions, prospects }: Outlook): Evaluation {
    this.#critic.begin(state);
    const value = this.#critic.output(NOTHING, 0, this.#criticHidden);
    this.#actor.begin(state);
    const probabilities = new Float64Array(prospects.length);
    let max = Number.NEGATIVE_INFINITY;
    for (let a = 0; a < prospects.length; a++) {
      const score = this.#actor.output(actions, a * ACTION_FEATURES, this.#hiddenOf(a));
      probabilities[a] = score;
      max = Math.max(max, score);
    }
    let sum = 0;
    for (let a = 0; a < prospects.length; a++) {
      const weight = Math.exp(probabilities[a]! - max);
      probabilities[a] = weight;
      sum += weight;
    }
    for (let a = 0; a < prospects.length; a++) probabilities[a]! /= sum;
    return { probabilities, value };
  }

  /**
   * One step down the gradient of the mean over experiences of −min(ρ A, clip(ρ) A) − c H(π) + ½ (V − G)², where
   * ρ = π(a) / what it was when it was decided.
   */
  learn(experiences: readonly Experience[], { rate, entropy }: LearningRule): void {
    for (const { outlook, opinion, action, target, advantage } of experiences) {
      const { probabilities, value } = this.evaluate(outlook);
      const ratio = probabilities[action]! / opinion.probabilities[action]!;
      const isClipped = advantage > 0 ? ratio > 1 + CLIP : ratio < 1 - CLIP;
      const push = isClipped ? 0 : advantage * ratio;
      const h = -probabilities.reduce((sum, p) => sum + p * Math.log(p + 1e-12), 0);
      probabilities.forEach((p, a) => {
        const slope = push * (p - (a === action ? 1 : 0)) + entropy * p * (Math.log(p + 1e-12) + h);
        this.#actor.addGradient(outlook.actions, a * ACTION_FEATURES, {
          hidden: this.#hiddenOf(a),
          slope: slope / experiences.length,
        });
      });
      this.#actor.endGradient(outlook.state);
      this.#critic.addGradient(NOTHING, 0, {
        hidden: this.#criticHidden,
        slope: (value - target) / experiences.length,
      });
      this.#critic.endGradient(outlook.state);
    }
    this.#actor.step(rate);
    this.#critic.step(rate);
  }

  #hiddenOf(prospect: number): Float64Array {
    this.#actorHidden[prospect] ??= new Float64Array(UNITS);
    return this.#actorHidden[prospect];
  }
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
  const squares = experiences.reduce((sum, { advantage }) => sum + advantage ** 2, 0);
  const spread = Math.max(SMALLEST_SPREAD, Math.sqrt(squares / experiences.length));
  return experiences.map((each) => ({ ...each, advantage: each.advantage / spread }));
}

function isWeights(data: unknown): data is NetworkWeights {
  if (typeof data !== 'object' || data === null || !('actor' in data && 'critic' in data)) return false;
  return [data.actor, data.critic].every((values) => Array.isArray(values) && values.every(Number.isFinite));
}
