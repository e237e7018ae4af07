import { createRng, deriveSeed, type Rng } from '../../../src/runtime/rng.ts';
import { actor, experiencesOf, type PolicyStep } from '../../../src/serving/policies/learned/actor-critic.ts';
import { ActorCriticNetwork, type Experience, scaled } from '../../../src/serving/policies/learned/network.ts';
import { throughputOf } from '../../../src/serving/policies/learned/outlook.ts';
import type { AdamState } from '../../../src/serving/policies/learned/tanh-network.ts';
import { leaving } from '../policies.ts';
import { simulate } from '../simulator.ts';
import { kinds, type World, worldOf } from './worlds.ts';

/** Decisions that the network makes before it changes. */
const ROUND_STEPS = 4096;
const EPOCHS = 3;
const MINIBATCH = 256;
/** Decisions to learn from. */
const TOTAL = 1_000_000;
/** At the beginning and at the end. */
const RATE = [1e-3, 5e-5] as const;
const ENTROPY = [0.01, 5e-4] as const;
/** An episode ends without any further reward when so much waits as the fleet answers within so many τ. */
const BACKLOG = 3;
/** An episode has at most so many decisions, so that a round has several. */
const MOST_STEPS = 512;

/** What training needs to continue. */
export interface TrainingState {
  seed: number;
  round: number;
  /** By kind of world. */
  decisions: Record<string, number>;
  actor: number[];
  critic: number[];
  adam: Record<'actor' | 'critic', AdamState>;
}

/** Trains one network for all fleets, in rounds; each round depends only on the seed and the rounds before. */
export class PolicyTraining {
  readonly network: ActorCriticNetwork;
  readonly decisions: Record<string, number>;
  readonly #seed: number;
  readonly #roundSteps: number;
  #round = 0;

  /** `state`: of a training to continue. */
  constructor({ seed, roundSteps = ROUND_STEPS }: { seed: number; roundSteps?: number }, state?: TrainingState) {
    this.#seed = state?.seed ?? seed;
    this.#roundSteps = roundSteps;
    this.network = new ActorCriticNetwork(createRng(this.#seed));
    this.decisions = state?.decisions ?? Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
    if (state === undefined) return;
    this.#round = state.round;
    this.network.restore(state);
    this.network.adam = state.adam;
  }

  get state(): TrainingState {
    const { network, decisions } = this;
    return { seed: this.#seed, round: this.#round, decisions, ...network.weights, adam: network.adam };
  }

  get done(): number {
    return Object.values(this.decisions).reduce((sum, count) => sum + count, 0);
  }

  get isOver(): boolean {
    return this.done >= TOTAL;
  }

  round(): void {
    const rng = createRng(deriveSeed(this.#seed, this.#round++));
    const seen = new Map<string, Experience[]>();
    for (let steps = 0; steps < this.#roundSteps; ) {
      const kind = this.#nextKind();
      const experiences = episode(this.network, worldOf(kind, rng), rng);
      seen.set(kind, [...(seen.get(kind) ?? []), ...experiences]);
      this.decisions[kind]! += experiences.length;
      steps += experiences.length;
    }
    // A decision is about a larger part of τ, and its return differs more, where there is one device than where there are three.
    this.#learn([...seen.values()].flatMap(scaled), rng);
  }

  /** The one that is furthest behind its share. */
  #nextKind(): string {
    const behind = (kind: string): number => (this.decisions[kind] ?? 0) / (kinds[kind] ?? 1);
    return Object.keys(kinds).reduce((next, kind) => (behind(kind) < behind(next) ? kind : next));
  }

  #learn(experiences: readonly Experience[], rng: Rng): void {
    const share = Math.min(1, this.done / TOTAL);
    const between = ([first, last]: readonly [number, number]): number => first + share * (last - first);
    const rule = { rate: between(RATE), entropy: between(ENTROPY) };
    const order = Int32Array.from(experiences.keys());
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      rng.shuffle(order);
      for (let i = 0; i + MINIBATCH <= order.length; i += MINIBATCH) {
        const part = Array.from(order.subarray(i, i + MINIBATCH), (place) => experiences[place] as Experience);
        this.network.learn(part, rule);
      }
    }
  }
}

function episode(network: ActorCriticNetwork, world: World, rng: Rng): Experience[] {
  const { fleet, budgetMs, arrivals, drops } = world;
  const steps: PolicyStep[] = [];
  const mostQueued = BACKLOG * budgetMs * throughputOf(fleet);
  let isLost = false;
  simulate({
    ...{ fleet, budgetMs, arrivals, drops, rng, noise: 0 },
    policy: (known) =>
      actor({
        ...{ fleet: known, seed: rng.below(2 ** 31), ...leaving(drops), network },
        onStep: (step) => steps.push(step),
      }),
    endsEarly(queued) {
      isLost = queued > mostQueued;
      return isLost || steps.length > MOST_STEPS;
    },
  });
  // What comes after the last decision is not known: its own value stands for it.
  const last = isLost ? undefined : steps.pop();
  const nowMs = last?.nowMs ?? steps.at(-1)?.nowMs ?? 0;
  return experiencesOf(steps, { value: last?.opinion.value ?? 0, nowMs, budgetMs });
}
