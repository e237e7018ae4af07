import { drawWithOverrides } from '../domain/hyper-space.ts';
import type { Proposal, SearchSpace, TrialHistory } from './advisor.ts';
import { nearestValue } from './draw.ts';

/** Proposes each family once with its initial values, so that all families are tried early; then null. */
export function firstOfFamily({ families, overrides }: SearchSpace, history: readonly TrialHistory[]): Proposal | null {
  const tried = new Set(history.map(({ family }) => family));
  const fresh = families.find(({ name }) => !tried.has(name));
  if (fresh === undefined) return null;
  const knobs = drawWithOverrides(fresh.space, overrides, (knob, domain) =>
    nearestValue(domain, fresh.initial?.[knob.name] ?? knob.initial),
  );
  return { family: fresh.name, knobs };
}
