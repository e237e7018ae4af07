import type { Recipe } from '../../models/family.ts';
import type { PreparedTrial } from '../trial.ts';

/** How each worker of a trial trains. */
export interface LocalSteps {
  /** Rows of a step. */
  batch: number;
  /** What a step of all workers amounts to, in batches of the trial: 1, unless they are too many for its batch. */
  span: number;
  /** Factor of the learning rate. */
  rate: number;
}

/** Steps of fewer rows take as long: 8 images or texts are trained at two thirds of the speed of 64. */
const MIN_ROWS = 8;

type Batches = Pick<PreparedTrial, 'batch' | 'recipe'>;

const minRows = ({ batch }: Batches): number => Math.min(batch, MIN_ROWS);

/**
 * The workers share each batch of the trial, so that together they make as many steps as one would make alone, and the
 * schedule stays what it is. If there are too many of them for that, they make fewer, longer steps. The learning rate
 * follows the rows of all (Goyal et al. 2017, "Accurate, Large Minibatch SGD"). Adam divides by the noise of the gradient,
 * which is √K times as large in a K-th of the rows, and whose mean over the workers is as large as alone with √K times the
 * rate (Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms").
 */
export function localSteps(trial: Batches, workers: number): LocalSteps {
  const batch = Math.max(minRows(trial), Math.floor(trial.batch / workers));
  const span = (batch * workers) / trial.batch;
  const { optimiser } = trial.recipe;
  const divides = optimiser === 'adam' || optimiser === 'adamw';
  return { batch, span, rate: divides ? workers * Math.sqrt(batch / trial.batch) : span };
}

/** Workers for which `left` batches have a step each. */
export const maxWorkers = (trial: Batches, left: number): number =>
  Math.max(1, Math.floor((left * trial.batch) / minRows(trial)));

/** The recipe for such steps: moving averages span as many rows as alone. */
export function localRecipe(trial: Batches, { span }: LocalSteps): Recipe {
  const { recipe } = trial;
  const { averageDecay } = recipe;
  return averageDecay === undefined || span === 1 ? recipe : { ...recipe, averageDecay: averageDecay ** span };
}
