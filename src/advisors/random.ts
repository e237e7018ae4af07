import { drawWithOverrides } from '../domain/hyper-space.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import type { Advisor } from './advisor.ts';
import { drawValue } from './draw.ts';
import { firstOfFamily } from './first-trials.ts';
import { stopDecision } from './stop-decision.ts';

/** Random search (Bergstra and Bengio 2012): family and knobs are drawn at random. */
export const random: Advisor = {
  name: 'random',
  title: 'values drawn at random',
  ...stopDecision,

  propose(search, history) {
    const first = firstOfFamily(search, history);
    if (first !== null) return first;
    const { families, overrides, seed } = search;
    const rng = createRng(deriveSeed(seed, history.length));
    const family = families[rng.below(families.length)];
    if (family === undefined) return null;
    const knobs = drawWithOverrides(family.space, overrides, (_, domain) => drawValue(domain, rng));
    return { family: family.name, knobs };
  },
};
