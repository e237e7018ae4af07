import { createRng, deriveSeed, type Rng } from '../../../src/runtime/rng.ts';
import { throughputOf } from '../../../src/serving/policies/batches.ts';
import { actor, experiencesOf, type PolicyStep } from '../../../src/serving/policies/learned/actor-critic.ts';
import { ActorCriticNetwork, type Experience, scaled } from '../../../src/serving/policies/learned/network.ts';
import type { AdamState } from '../../../src/serving/policies/learned/sigmoid-network.ts';
import { leaving } from '../policies.ts';
import { simulate } from '../simulator.ts';
import { kinds, type World, worldOf } from './worlds.ts';

/** Decisions that the network makes before it changes. */
const ROUND_STEPS = 4096;
const EPOCHS = 3;
const MINIBATCH = 256;
/** Decisions to learn from: at rates that fall, and then at the last ones. */
const FALLING = 3_000_000;
const TOTAL = 3_500_000;
/** At the beginning and at the end. */
const RATE = [1e-3, 5e-5] as const;
const ENTROPY = [0.01, 5e-4] as const;
/**
 * Backlogs are what the fleet answers within so many τ. An episode ends without any further reward when so much waits; many of
 * the last ones begin with up to so much. What leads out of an overload is hardly learnt before: episodes end in it.
 */
const BACKLOG = { first: 3, last: 5 };
const FIRST_BACKLOG = 4;
/** An episode has at most so many decisions, so that a round has several. */
const MAX_STEPS = 512;

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
      const experiences = this.#episode(kind, rng);
      const before = seen.get(kind);
      if (before === undefined) seen.set(kind, experiences);
      else before.push(...experiences);
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

  #episode(kind: string, rng: Rng): Experience[] {
    const isLast = this.done >= FALLING;
    const mostTaus = isLast ? BACKLOG.last : BACKLOG.first;
    return episode(this.network, { world: worldOf(kind, rng, isLast ? FIRST_BACKLOG : 0), mostTaus }, rng);
  }

  #learn(experiences: readonly Experience[], rng: Rng): void {
    const share = Math.min(1, this.done / FALLING);
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

/** `mostTaus`: the backlog that ends it. */
function episode(
  network: ActorCriticNetwork,
  { world: { fleet, budgetMs, arrivals, drops }, mostTaus }: { world: World; mostTaus: number },
  rng: Rng,
): Experience[] {
  const steps: PolicyStep[] = [];
  const mostQueued = mostTaus * budgetMs * throughputOf(fleet);
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
      return isLost || steps.length > MAX_STEPS;
    },
  });
  // What comes after the last decision is not known: its own value stands for it.
  const last = isLost ? undefined : steps.pop();
  const nowMs = last?.nowMs ?? steps.at(-1)?.nowMs ?? 0;
  return experiencesOf(steps, { value: last?.opinion.value ?? 0, nowMs, budgetMs });
}
