import { type Choice, emptyChoice } from './choices.ts';
import { LookAhead } from './look-ahead.ts';
import type { Decision, Policy, PolicyOptions, PolicyState } from './policy.ts';
import { PriceList } from './prices.ts';

/**
 * Prices of a request and of each station's time depend on the arrival rate (see {@link PriceList}). Takes the batch
 * with the highest reward minus price; if its stations are busy, waits for them. So the whole ensemble answers while
 * prices are 0, and under overload requests go to idle members.
 */
export function priceRule({ fleet }: PolicyOptions): Policy {
  const prices = new PriceList(fleet);
  return {
    name: 'price',
    decide(state): Decision {
      const best = emptyChoice();
      const lookAhead = new LookAhead(fleet, state, prices.at(state.rate, state.budgetMs));
      return lookAhead.findBest(best) ? decisionOf(best, state.nowMs) : nothingInTime(state);
    },
  };
}

export function decisionOf({ subset, from, rows, startMs: beginMs }: Choice, nowMs: number): Decision {
  if (beginMs > nowMs) return { kind: 'wait', untilMs: beginMs, rows: Number.POSITIVE_INFINITY };
  return { kind: 'dispatch', subset, from, rows };
}

/** No waiting request can be answered in time by a free server: new requests may arrive, or another server may become free. */
export const nothingInTime = ({ queue }: PolicyState): Decision => ({
  kind: 'wait',
  untilMs: Number.POSITIVE_INFINITY,
  rows: queue.length + 1,
});
