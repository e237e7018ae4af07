import type { Advisor } from './advisor.ts';
import { medianRule } from './stop-rules/median-rule.ts';
import { stagnation } from './stop-rules/stagnation.ts';
import type { StopRule } from './stop-rules/stop-rule.ts';
import { successiveHalving } from './stop-rules/successive-halving.ts';

const stopRules: readonly StopRule[] = [stagnation, medianRule, successiveHalving];

/** Shared by all advisors: a trial is stopped if any stop rule is met. */
export const stopDecision: Pick<Advisor, 'decide'> = {
  decide: (trial, history) => (stopRules.some((rule) => rule(trial, history) === 'stop') ? 'stop' : 'continue'),
};
