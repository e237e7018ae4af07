import { finishMs, largestOf, mostAccurate, startMs, usefulSubsets } from './batches.ts';
import { type Choice, emptyChoice } from './choices.ts';
import { LookAhead, SAME_SCORE } from './look-ahead.ts';
import type { Decision, Fleet, Policy, PolicyOptions, PolicyState } from './policy.ts';
import { decisionOf, nothingInTime } from './price-rule.ts';
import { PriceList } from './prices.ts';

/**
 * Length of the look-ahead, in τ. On bursts near capacity 1 reached .982 of the bound, 2 reached .978 in twice the
 * time.
 */
const HORIZON = 1;
/** Number of first batches that are tried, the best by price first. */
const CANDIDATES = 8;
/** Maximum steps per look-ahead: more than the events of a horizon, except with thousands of tiny batches. */
const MAX_STEPS = 300;

/**
 * Tries waiting, and the first batches that the price rule ranks best. Each is followed by the price rule over the time
 * ahead, with arrivals at the current rate. Takes the one with the highest reward, counting the price of the remaining
 * requests.
 */
export function planner({ fleet }: PolicyOptions): Policy {
  const prices = new PriceList(fleet);
  const isLone = usefulSubsets(fleet).length === 1;
  return {
    name: 'planner',
    decide(state): Decision {
      if (isLone && state.queue.length === 1) {
        const one = allInTime(state, fleet);
        if (one !== null) return one;
      }
      const worth = prices.at(state.rate, state.budgetMs);
      const all = isLone && worth.stations.every((price) => price === 0) ? allInTime(state, fleet) : null;
      return all ?? plan(new LookAhead(fleet, state, worth), state);
    },
  };
}

/** One model with enough time, and one batch that answers all waiting requests in time: no planning is needed. */
function allInTime(state: PolicyState, fleet: Fleet): Decision | null {
  const { queue, nowMs } = state;
  const subset = mostAccurate(fleet);
  if (queue.length > largestOf(fleet) || startMs(fleet, state, subset) > nowMs) return null;
  if (finishMs(fleet, state, { subset, rows: queue.length }) > queue.deadlineMs(0)) return null;
  return { kind: 'dispatch', subset, from: 0, rows: queue.length };
}

function plan(lookAhead: LookAhead, state: PolicyState): Decision {
  const endMs = state.nowMs + HORIZON * state.budgetMs;
  const choices = lookAhead.choices().sort(byScore);
  const now = choices.filter((choice) => choice.startMs <= state.nowMs).slice(0, CANDIDATES);
  let best: Choice | undefined;
  let max = Number.NEGATIVE_INFINITY;
  for (const choice of now) {
    lookAhead.reset();
    lookAhead.take(choice);
    const reward = rewardOf(choice, lookAhead) + rewardAhead(lookAhead, endMs);
    if (reward <= max + SAME_SCORE) continue;
    max = reward;
    best = choice;
  }
  if (best === undefined) return nothingInTime(state);
  const later = Math.min(...choices.filter(({ startMs }) => startMs > state.nowMs).map(({ startMs }) => startMs));
  if (!Number.isFinite(later)) return decisionOf(best, state.nowMs);
  lookAhead.reset();
  lookAhead.nowMs = later;
  if (rewardAhead(lookAhead, endMs) <= max + SAME_SCORE) return decisionOf(best, state.nowMs);
  return { kind: 'wait', untilMs: later, rows: Number.POSITIVE_INFINITY };
}

/** Reward until `endMs` if the price rule continues from here, and the value of what then remains. */
function rewardAhead(lookAhead: LookAhead, endMs: number): number {
  let reward = 0;
  const choice = emptyChoice();
  for (let step = 0; step < MAX_STEPS && lookAhead.nowMs < endMs; step++) {
    const nextFreeMs = lookAhead.nextFreeMs;
    if (!lookAhead.isAnyFree) {
      lookAhead.nowMs = nextFreeMs;
    } else if (lookAhead.tail <= lookAhead.head) {
      lookAhead.nowMs = Math.min(nextFreeMs, lookAhead.nextArrivalMs);
    } else {
      // No choice: all waiting requests are lost.
      if (!lookAhead.findBest(choice)) lookAhead.head = lookAhead.tail;
      else if (choice.startMs > lookAhead.nowMs) lookAhead.nowMs = nextFreeMs;
      else {
        lookAhead.take(choice);
        reward += rewardOf(choice, lookAhead);
      }
    }
  }
  lookAhead.nowMs = endMs;
  return reward + lookAhead.prices.request * lookAhead.inTime(endMs) - lookAhead.committedCost(endMs);
}

const rewardOf = ({ subset, rows }: Choice, { fleet }: LookAhead): number => (fleet.accuracy[subset] ?? 0) * rows;

/** The best first; among equals in the order of the choices. */
const byScore = (a: Choice, b: Choice): number => Math.round((b.score - a.score) / SAME_SCORE);
