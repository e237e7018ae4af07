import { drawWithOverrides, type Knobs } from '../domain/hyper-space.ts';
import type { Proposal, SearchSpace, TrialHistory } from './advisor.ts';
import { nearestValue } from './draw.ts';

type SearchedFamily = SearchSpace['families'][number];

/**
 * Proposes each family once with its initial values, so that all families are tried early; then, the families in turn, each further pretrained encoder
 * that one may stand on; then null. So a study of few trials has tried other families, however many encoders there are.
 */
export function firstOfFamily({ families, overrides }: SearchSpace, history: readonly TrialHistory[]): Proposal | null {
  const counted = families.map((family) => {
    const tried = history.filter((trial) => trial.family === family.name).map(({ knobs }) => knobs);
    return { family, tried };
  });
  const inTurn = counted.toSorted((a, b) => a.tried.length - b.tried.length); // of equals the first one
  for (const { family, tried } of inTurn) {
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
