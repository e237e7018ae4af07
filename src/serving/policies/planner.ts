import { finishMs, mostAccurate, startMs, usefulSubsets } from './batches.ts';
import { type Choice, emptyChoice } from './choices.ts';
import { Outlook } from './outlook.ts';
import type { Decision, Fleet, Policy, PolicyOptions, PolicyState } from './policy.ts';
import { decisionOf, nothingInTime } from './price-rule.ts';
import { PriceList } from './prices.ts';

/** How far it looks ahead, in τ. On bursts near capacity 1 gave .982 of the bound, 2 gave .978, at twice the time. */
const HORIZON = 1;
/** So many first batches are tried, the best by price first. */
const TRIED = 8;
/** Steps of one look ahead: more events than a horizon has, but for thousands of tiny batches. */
const MAX_STEPS = 300;

/**
 * Tries the first batches that the price rule finds best, and waiting, each followed by the price rule over the time
 * ahead with arrivals at the rate of now; takes the one with the most reward, where what is then left is worth its price.
 */
export function planner(options: PolicyOptions): Policy {
  const { fleet } = options;
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
      return all ?? plan(new Outlook(fleet, state, worth), state, options);
    },
  };
}

/** One model with time to spare, and one batch that answers all who wait in time: there is nothing to plan. */
function allInTime(state: PolicyState, fleet: Fleet): Decision | null {
  const { queue, nowMs } = state;
  const subset = mostAccurate(fleet);
  const fits = fleet.sizes.find((size) => size >= queue.length);
  if (fits === undefined || startMs(fleet, state, subset) > nowMs) return null;
  if (finishMs(fleet, state, { subset, rows: queue.length }) > queue.deadlineMs(0)) return null;
  return { kind: 'dispatch', subset, from: 0, rows: queue.length };
}

function plan(outlook: Outlook, state: PolicyState, options: PolicyOptions): Decision {
  const endMs = state.nowMs + HORIZON * state.budgetMs;
  const choices = outlook.choices().sort((a, b) => b.score - a.score);
  const now = choices.filter((choice) => choice.startMs <= state.nowMs).slice(0, TRIED);
  let best: Choice | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const choice of now) {
    outlook.reset();
    outlook.take(choice);
    const reward = rewardOf(choice, outlook) + rewardAhead(outlook, endMs);
    if (reward <= most) continue;
    most = reward;
    best = choice;
  }
  if (best === undefined) return nothingInTime(options, state);
  const later = Math.min(...choices.filter(({ startMs }) => startMs > state.nowMs).map(({ startMs }) => startMs));
  if (!Number.isFinite(later)) return decisionOf(best, state.nowMs);
  outlook.reset();
  outlook.nowMs = later;
  if (rewardAhead(outlook, endMs) <= most) return decisionOf(best, state.nowMs);
  return { kind: 'wait', untilMs: later, rows: Number.POSITIVE_INFINITY };
}

/** Reward until `endMs` when the price rule goes on from here, and the worth of what is then left. */
function rewardAhead(outlook: Outlook, endMs: number): number {
  let reward = 0;
  const choice = emptyChoice();
  for (let step = 0; step < MAX_STEPS && outlook.nowMs < endMs; step++) {
    const nextFreeMs = outlook.nextFreeMs;
    if (!outlook.isAnyFree) {
      outlook.nowMs = nextFreeMs;
    } else if (outlook.tail <= outlook.head) {
      outlook.nowMs = Math.min(nextFreeMs, outlook.nextArrivalMs);
    } else {
      // where none is found, all of them are lost
      if (!outlook.findBest(choice)) outlook.head = outlook.tail;
      else if (choice.startMs > outlook.nowMs) outlook.nowMs = nextFreeMs;
      else {
        outlook.take(choice);
        reward += rewardOf(choice, outlook);
      }
    }
  }
  outlook.nowMs = endMs;
  return reward + outlook.prices.request * outlook.inTime(endMs) - outlook.debt(endMs);
}

const rewardOf = ({ subset, rows }: Choice, { fleet }: Outlook): number => (fleet.accuracy[subset] ?? 0) * rows;
