import { type Choice, emptyChoice, Outlook } from './outlook.ts';
import type { Decision, Policy, PolicyOptions } from './policy.ts';
import { PriceList } from './prices.ts';

/**
 * Each arrival rate has its prices: what a request and each station's time are worth (see {@link PriceList}). Takes the
 * batch of the best reward minus priced time; where that is one whose stations are busy, waits for them. So the whole
 * ensemble answers while prices are 0, and what overflows goes to members that are idle.
 */
export function priceRule({ fleet }: PolicyOptions): Policy {
  const prices = new PriceList(fleet);
  return {
    name: 'price',
    decide(state): Decision {
      const best = emptyChoice();
      const outlook = new Outlook(fleet, state, prices.at(state.rate, state.budgetMs));
      return outlook.findBest(best) ? decisionOf(best, state.nowMs) : nothingInTime(state.queue.length);
    },
  };
}

export function decisionOf({ subset, from, rows, startMs }: Choice, nowMs: number): Decision {
  if (startMs > nowMs) return { kind: 'wait', untilMs: startMs, rows: Number.POSITIVE_INFINITY };
  return { kind: 'dispatch', subset, from, rows };
}

/** Nobody who waits can be answered in time by what is free: somebody else may come, or another server get free. */
export const nothingInTime = (waiting: number): Decision => ({
  kind: 'wait',
  untilMs: Number.POSITIVE_INFINITY,
  rows: waiting + 1,
});
