import type { Knobs } from '../../domain/hyper-space.ts';
import type { Recipe } from '../family.ts';
import { regularisationKnobs, trainingKnobs } from '../knobs.ts';

/** The recipe of the text families. */
export const textRecipe = (knobs: Knobs): Recipe => ({
  optimiser: 'adamw',
  ...trainingKnobs(knobs),
  ...regularisationKnobs(knobs),
  momentum: 0,
  stepsPerRun: 16,
});
