import { startMs, usefulSubsets } from './batches.ts';
import { type Choice, emptyChoice } from './choices.ts';
import { LookAhead } from './look-ahead.ts';
import type { Decision, Policy, PolicyOptions, PolicyState } from './policy.ts';
import { PriceList } from './prices.ts';

/**
 * Prices of a request and of each station's time depend on the arrival rate (see {@link PriceList}). Takes the batch
 * with the highest reward minus price; if its stations are busy, waits for them. So the whole ensemble answers while
 * prices are 0, and under overload requests go to idle members.
 */
export function priceRule(options: PolicyOptions): Policy {
  const { fleet } = options;
  const prices = new PriceList(fleet);
  return {
    name: 'price',
    decide(state): Decision {
      const best = emptyChoice();
      const lookAhead = new LookAhead(fleet, state, prices.at(state.rate, state.budgetMs));
      return lookAhead.findBest(best) ? decisionOf(best, state.nowMs) : nothingInTime(options, state);
    },
  };
}

export function decisionOf({ subset, from, rows, startMs: beginMs }: Choice, nowMs: number): Decision {
  if (beginMs > nowMs) return { kind: 'wait', untilMs: beginMs, rows: Number.POSITIVE_INFINITY };
  return { kind: 'dispatch', subset, from, rows };
}

/**
 * No waiting request can be answered in time by a free server: new requests may arrive, or another server may become
 * free. Without `drops`, the oldest requests go to the most accurate free subset.
 */
export function nothingInTime({ fleet, drops }: PolicyOptions, state: PolicyState): Decision {
  const waiting = state.queue.length;
  const free = usefulSubsets(fleet).filter((subset) => startMs(fleet, state, subset) <= state.nowMs);
  if (drops || free.length === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: waiting + 1 };
  const subset = free.reduce((best, next) => ((fleet.accuracy[next] ?? 0) > (fleet.accuracy[best] ?? 0) ? next : best));
  return { kind: 'dispatch', subset, from: 0, rows: Math.min(waiting, fleet.sizes[fleet.sizes.length - 1] ?? 1) };
}
