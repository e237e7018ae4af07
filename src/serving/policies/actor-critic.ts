import { createRng } from '../../runtime/rng.ts';
import { allMembers, finishMs, freeAt, largestOf, lateAt, startMs } from './batches.ts';
import { ActorCriticNetwork, type Evaluation, type Experience } from './network.ts';
import type { Decision, Fleet, Policy, PolicyOptions, PolicyState, Subset } from './policy.ts';

/** Waiting times of this many places of the queue are features, spaced evenly over the largest batch. */
const PLACES = 16;
/** With more sizes than this, the network chooses among those so far apart. */
const MAX_SIZES = 8;
const FACTOR = 4;
/** Decisions per training step. */
const TRAIN_EVERY = 32;
/** Discount: a reward this many τ ahead counts 1/e of one now. */
const HORIZON = 2;
/** Returns over many steps are too noisy to show one batch's contribution. */
const LAMBDA = 0.3;
/** β: cost of an overdue answer, in correct answers. */
const BETA = 1;

interface ActorCriticOptions extends PolicyOptions {
  knowsRate?: boolean;
}

export interface PolicyStep {
  opinion: Evaluation;
  action: number;
  reward: number;
  nowMs: number;
}

/**
 * The paper's learned scheduler (section 5). Action: a subset v ≠ 0 and a batch size b. State: c(m, b) of every model
 * and size, the time until each model is free, and the waiting times in the queue. Reward of a batch: a(M[v]) (b − β
 * overdue), known here when it is dispatched. A busy subset is waited for. Trained online, one step per 32 decisions.
 * The state also includes the arrival rate, unless `knowsRate` is false.
 */
export function actorCritic({ fleet, seed, leavesOut = lateAt, knowsRate = true }: ActorCriticOptions): Policy {
  const rng = createRng(seed);
  const actions = actionsOf(fleet);
  const inputs = fleet.stations.length + fleet.members * fewSizes(fleet).length + PLACES + 2;
  const network = new ActorCriticNetwork(inputs, actions.length, rng);
  const steps: PolicyStep[] = [];

  const choose = ({ probabilities }: Evaluation): number => {
    let left = rng.uniform();
    for (let action = 0; action < probabilities.length - 1; action++) {
      left -= probabilities[action]!;
      if (left < 0) return action;
    }
    return probabilities.length - 1;
  };

  return {
    name: 'actor-critic',
    learned: { weights: () => network.weights, restore: (weights) => network.restore(weights) },
    decide(state): Decision {
      const max = HORIZON * state.budgetMs * throughput(fleet);
      const opinion = network.evaluate(featuresOf(fleet, state, knowsRate));
      if (steps.length >= TRAIN_EVERY) network.learn(experiencesOf(steps.splice(0), opinion, state));
      const action = choose(opinion);
      const { subset, size } = actions[action]!;
      const { queue, nowMs } = state;
      const start = startMs(fleet, state, subset);
      if (start > nowMs) {
        steps.push({ opinion, action, reward: 0, nowMs });
        return { kind: 'wait', untilMs: start, rows: Number.POSITIVE_INFINITY };
      }
      const finish = finishMs(fleet, state, { subset, rows: Math.min(size, queue.length) });
      const late = lateAt(queue, finish);
      const out = leavesOut(queue, finish);
      const from = out < queue.length ? out : 0;
      const rows = Math.min(size, queue.length - from);
      const overdue = Math.min(rows, Math.max(0, late - from));
      const reward = ((fleet.accuracy[subset] ?? 0) * (rows - BETA * overdue)) / max;
      steps.push({ opinion, action, reward, nowMs });
      return { kind: 'dispatch', subset, from, rows };
    },
  };
}

function actionsOf(fleet: Fleet): { subset: Subset; size: number }[] {
  const subsets = Array.from({ length: allMembers(fleet) }, (_, i) => i + 1);
  return subsets.flatMap((subset) => fewSizes(fleet).map((size) => ({ subset, size })));
}

/** Of many sizes, those a factor of four apart: with more actions the network learns slowly. */
function fewSizes({ sizes }: Fleet): readonly number[] {
  if (sizes.length <= MAX_SIZES) return sizes;
  return sizes.reduceRight<number[]>((few, size) => {
    if (few.length === 0 || FACTOR * size <= few[0]!) few.unshift(size);
    return few;
  }, []);
}

/** Rows per millisecond if each member answers separately, in largest batches. */
const throughput = (fleet: Fleet): number =>
  Array.from({ length: fleet.members }, (_, m) => largestOf(fleet) / fleet.latencyMs(m, largestOf(fleet))).reduce(
    (sum, rate) => sum + rate,
    0,
  );

/** All times are in τ. */
export function featuresOf(fleet: Fleet, state: PolicyState, knowsRate: boolean): Float64Array {
  const { queue, nowMs, budgetMs, rate } = state;
  const largest = largestOf(fleet);
  const features = fleet.stations.map((_, s) => Math.min(3, (freeAt(state, s) - nowMs) / budgetMs));
  for (let m = 0; m < fleet.members; m++)
    for (const size of fewSizes(fleet)) features.push(fleet.latencyMs(m, size) / budgetMs);
  for (let i = 0; i < PLACES; i++) {
    const place = Math.floor((i * largest) / PLACES);
    const waited = place < queue.length ? 1 - (queue.deadlineMs(place) - nowMs) / budgetMs : 0;
    features.push(Math.min(3, waited));
  }
  features.push(
    Math.min(4, queue.length / largest),
    knowsRate ? Math.min(4, (rate * fleet.latencyMs(0, largest)) / largest) : 0,
  );
  return Float64Array.from(features);
}

/** TD(λ): G = r + e^(−Δt / 2 τ) ((1 − λ) V' + λ G'), computed backwards from the value of the next state. */
export function experiencesOf(
  steps: readonly PolicyStep[],
  next: Pick<Evaluation, 'value'>,
  { nowMs, budgetMs }: PolicyState,
): Experience[] {
  const lessons: Experience[] = [];
  let target = next.value;
  let value = next.value;
  let laterMs = nowMs;
  for (const { opinion, action, reward, nowMs: ms } of [...steps].reverse()) {
    const discount = Math.exp((ms - laterMs) / (HORIZON * budgetMs));
    target = reward + discount * ((1 - LAMBDA) * value + LAMBDA * target);
    value = opinion.value;
    laterMs = ms;
    lessons.push({ opinion, action, target });
  }
  return lessons;
}
