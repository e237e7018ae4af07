import type { Knobs } from '../domain/hyper-space.ts';
import type { TrainingSpec } from '../domain/training.ts';
import { InvalidParameter } from '../errors/errors.ts';
import type { Family, Recipe } from './family.ts';

/** All knobs of a trial: the values that its spec does not have are its family's initial ones. */
export const allKnobs = (family: Family, { task, knobs }: Pick<TrainingSpec, 'task' | 'knobs'>): Knobs => ({
  ...family.space(task).initial(),
  ...knobs,
});

/** A knob that must be a number. */
export function numberKnob(knobs: Knobs, name: string): number {
  const value = knobs[name];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new InvalidParameter(`knob "${name}" is not a number`, {
    detail: `It is ${JSON.stringify(value)}.`,
    hint: 'rafiki_knobs(task) lists the knobs of each family with their domains.',
  });
}

/** A knob that must be a whole number of at least `min`. */
export function countKnob(knobs: Knobs, name: string, min = 1): number {
  const value = numberKnob(knobs, name);
  if (Number.isInteger(value) && value >= min) return value;
  throw new InvalidParameter(`knob "${name}" is not a whole number of at least ${min}`, {
    detail: `It is ${value}.`,
  });
}

/** The same knobs with the next smaller one of `widths`; null if there is none. */
export function narrower(knobs: Knobs, widths: readonly number[]): Knobs | null {
  const width = Math.max(...widths.filter((each) => each < countKnob(knobs, 'width')));
  return Number.isFinite(width) ? { ...knobs, width } : null;
}

/** A knob that must be one of `choices`. */
export function choiceKnob<Choice extends string>(knobs: Knobs, name: string, choices: readonly Choice[]): Choice {
  const value = knobs[name];
  const choice = choices.find((one) => one === value);
  if (choice !== undefined) return choice;
  throw new InvalidParameter(`knob "${name}" has an unknown value`, {
    detail: `It is ${JSON.stringify(value)}; the choices are ${choices.join(', ')}.`,
  });
}

/** The part of a recipe from knobs of all families. */
export const trainingKnobs = (knobs: Knobs): Pick<Recipe, 'epochs' | 'batch' | 'learningRate' | 'weightDecay'> => ({
  epochs: countKnob(knobs, 'epochs'),
  batch: countKnob(knobs, 'batch'),
  learningRate: numberKnob(knobs, 'learning_rate'),
  weightDecay: numberKnob(knobs, 'weight_decay'),
});

/** The part of a recipe from knobs of all classifiers. */
export const regularisationKnobs = (knobs: Knobs): Pick<Recipe, 'dropout' | 'labelSmoothing'> => ({
  dropout: numberKnob(knobs, 'dropout'),
  labelSmoothing: numberKnob(knobs, 'label_smoothing'),
});
