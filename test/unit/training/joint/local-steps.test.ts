import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../src/models/family.ts';
import { localRecipe, localSteps, maxWorkers } from '../../../../src/training/joint/local-steps.ts';

const trialOf = (batch: number, recipe: Partial<Recipe>) => ({ batch, recipe: recipe as Recipe });
const sgd = trialOf(64, { optimiser: 'nesterov', averageDecay: 0.998 });
const adam = trialOf(64, { optimiser: 'adamw' });

describe('the steps of a worker', () => {
  it('are those of the trial if it is alone', () => {
    for (const trial of [sgd, adam]) expect(localSteps(trial, 1)).toEqual({ batch: 64, span: 1, rate: 1 });
    expect(localRecipe(sgd, localSteps(sgd, 1))).toBe(sgd.recipe);
  });

  it('share a batch of the trial: as many steps as alone, at the same learning rate, or for Adam √K times that', () => {
    expect(localSteps(sgd, 4)).toEqual({ batch: 16, span: 1, rate: 1 });
    expect(localSteps(adam, 4)).toEqual({ batch: 16, span: 1, rate: 2 });
  });

  it('are longer where a batch has too few rows for all, at as much higher a rate', () => {
    expect(localSteps(sgd, 32)).toEqual({ batch: 8, span: 4, rate: 4 });
    expect(localSteps(trialOf(3, { optimiser: 'sgd' }), 2)).toEqual({ batch: 3, span: 2, rate: 2 });
    expect(localRecipe(sgd, localSteps(sgd, 32)).averageDecay).toBeCloseTo(0.998 ** 4);
  });

  it('are at least one for each worker in what is left of an epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 300 }), (batch, left) => {
        const trial = trialOf(batch, { optimiser: 'sgd' });
        const workers = maxWorkers(trial, left);
        expect(workers).toBeGreaterThanOrEqual(1);
        expect(localSteps(trial, workers).span).toBeLessThanOrEqual(left);
      }),
    );
  });
});
