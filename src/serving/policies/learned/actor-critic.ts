import { createRng } from '../../../runtime/rng.ts';
import type { Decision, Policy, PolicyOptions, PolicyState } from '../policy.ts';
import { nothingInTime } from '../price-rule.ts';
import { ActorCriticNetwork, type Evaluation, type Experience, scaled } from './network.ts';
import { type Outlook, outlookOf } from './outlook.ts';
import { TRAINED_WEIGHTS } from './trained-weights.ts';

/** Decisions per step of learning, on the server. */
const LEARN_EVERY = 64;
/** Learning on line goes on slowly: one stream's decisions resemble each other. */
const ONLINE = { rate: 1e-5, entropy: 1e-3 };
/** Discount: a reward this many τ ahead counts 1/e of one now. */
const HORIZON = 8;
/** A decision's return is its own reward and those of about 1 / (1 − λ) further decisions, then the critic's value. */
const LAMBDA = 0.95;

/** A decision, to learn from. */
export interface PolicyStep {
  outlook: Outlook;
  opinion: Evaluation;
  action: number;
  nowMs: number;
}

export interface ActorOptions extends PolicyOptions {
  network: ActorCriticNetwork;
  /** Told before the decision is returned. */
  onStep(step: PolicyStep, state: PolicyState): void;
}

/**
 * The paper's learned scheduler (section 5). Action: a subset v ≠ 0 and a batch of b rows, or waiting for the next device.
 * Reward of a batch: a(M[v]) (b − β overdue), known when it is dispatched. Begins with weights that were trained in
 * simulation (bench/serving/learning) and learns on from what it does.
 */
export function actorCritic(options: PolicyOptions): Policy {
  const network = new ActorCriticNetwork(createRng(options.seed));
  network.decode(TRAINED_WEIGHTS);
  const steps: PolicyStep[] = [];
  const onStep = (step: PolicyStep, { nowMs, budgetMs }: PolicyState): void => {
    if (steps.length >= LEARN_EVERY) {
      const end = { value: step.opinion.value, nowMs, budgetMs };
      network.learn(scaled(experiencesOf(steps.splice(0), end)), ONLINE);
    }
    steps.push(step);
  };
  return {
    ...actor({ ...options, network, onStep }),
    learned: { weights: () => network.weights, restore: (weights) => network.restore(weights) },
  };
}

/** Decides as the network's probabilities say. */
export function actor({ network, onStep, ...options }: ActorOptions): Policy {
  const rng = createRng(options.seed);
  return {
    name: 'actor-critic',
    decide(state): Decision {
      const outlook = outlookOf(options, state);
      if (outlook.prospects.length === 0) return nothingInTime(state);
      const opinion = network.evaluate(outlook);
      const action = drawn(opinion.probabilities, rng.uniform());
      onStep({ outlook, opinion, action, nowMs: state.nowMs }, state);
      const { subset, from, rows } = outlook.prospects[action]!;
      if (rows > 0) return { kind: 'dispatch', subset, from, rows };
      return { kind: 'wait', untilMs: outlook.nextFreeMs, rows: Number.POSITIVE_INFINITY };
    },
  };
}

/** The place in the distribution at `share` of the whole. */
function drawn(probabilities: Float64Array, share: number): number {
  let left = share;
  for (let action = 0; action < probabilities.length - 1; action++) {
    left -= probabilities[action]!;
    if (left < 0) return action;
  }
  return probabilities.length - 1;
}

/**
 * Returns by TD(λ): G = r + e^(−Δt / H τ) ((1 − λ) V' + λ G'), computed backwards from the value of the state after the
 * last decision.
 */
export function experiencesOf(
  steps: readonly PolicyStep[],
  { value: endValue, nowMs: endMs, budgetMs }: { value: number; nowMs: number; budgetMs: number },
): Experience[] {
  const experiences: Experience[] = [];
  let target = endValue;
  let value = endValue;
  let laterMs = endMs;
  for (const { outlook, opinion, action, nowMs } of [...steps].reverse()) {
    const discount = Math.exp((nowMs - laterMs) / (HORIZON * budgetMs));
    target = outlook.prospects[action]!.reward + discount * ((1 - LAMBDA) * value + LAMBDA * target);
    value = opinion.value;
    laterMs = nowMs;
    experiences.push({ outlook, opinion, action, target, advantage: target - value });
  }
  return experiences;
}
