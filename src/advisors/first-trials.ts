import { drawWithOverrides, type Knobs } from '../domain/hyper-space.ts';
import type { Proposal, SearchSpace, TrialHistory } from './advisor.ts';
import { nearestValue } from './draw.ts';

type SearchedFamily = SearchSpace['families'][number];

/**
 * Proposes each family once with its initial values, so that all families are tried early, and so with each pretrained encoder that a family may
 * stand on; then null.
 */
export function firstOfFamily({ families, overrides }: SearchSpace, history: readonly TrialHistory[]): Proposal | null {
  for (const family of families) {
    const tried = history.filter((trial) => trial.family === family.name).map(({ knobs }) => knobs);
    const knobs = firstKnobs(family, overrides, tried);
    if (knobs !== null) return { family: family.name, knobs };
  }
  return null;
}

function firstKnobs(
  { space, initial }: SearchedFamily,
  overrides: SearchSpace['overrides'],
  tried: readonly Knobs[],
): Knobs | null {
  let isNew = tried.length === 0;
  const knobs = drawWithOverrides(space, overrides, (knob, domain) => {
    const first = nearestValue(domain, initial?.[knob.name] ?? knob.initial);
    if (knob.valuesFrom === undefined || domain.kind !== 'categorical') return first;
    const fresh = [first, ...domain.list].find((value) => tried.every((other) => other[knob.name] !== value));
    isNew ||= fresh !== undefined;
    return fresh ?? first;
  });
  return isNew ? knobs : null;
}
