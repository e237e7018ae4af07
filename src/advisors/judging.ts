import { type Advisor, bestScore } from './advisor.ts';
import type { Judge } from './judges/judge.ts';
import { medianRule } from './judges/median-rule.ts';
import { stagnation } from './judges/stagnation.ts';
import { successiveHalving } from './judges/successive-halving.ts';

const judges: readonly Judge[] = [stagnation, medianRule, successiveHalving];

/** The stop decision of all advisors: a trial is stopped if any judge says so. */
export const judging: Pick<Advisor, 'judge' | 'isBest'> = {
  judge: (trial, history) => (judges.some((judge) => judge(trial, history) === 'stop') ? 'stop' : 'continue'),
  isBest: (trial, history) => history.every((other) => bestScore(other) <= bestScore(trial)),
};
