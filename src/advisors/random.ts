import { drawWithOverrides } from '../domain/hyper-space.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { type Advisor, bestScore } from './advisor.ts';
import { drawValue, nearestValue } from './draw.ts';
import { judgeStagnation } from './early-stopping.ts';

/**
 * Random search (Bergstra and Bengio 2012). Each family is tried once with the values that work without tuning, so
 * that the whole zoo is seen early; then families and knobs are drawn at random.
 */
export const random: Advisor = {
  name: 'random',

  propose({ families, overrides, seed }, history) {
    const fresh = families.find(({ name }) => history.every((trial) => trial.family !== name));
    if (fresh !== undefined) {
      const knobs = drawWithOverrides(fresh.space, overrides, (knob, domain) => nearestValue(domain, knob.initial));
      return { family: fresh.name, knobs };
    }
    const rng = createRng(deriveSeed(seed, history.length));
    const family = families[rng.below(families.length)];
    if (family === undefined) return null;
    const knobs = drawWithOverrides(family.space, overrides, (_, domain) => drawValue(domain, rng));
    return { family: family.name, knobs };
  },

  judge: ({ scores }) => judgeStagnation(scores),

  isBest: (trial, history) => history.every((other) => bestScore(other) <= bestScore(trial)),
};
