import type { Examples } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { DataTooLarge } from '../../errors/errors.ts';
import { plainFeatures } from '../../features/columns/plain.ts';
import { featureBins } from '../../trees/feature-bins.ts';
import { Workspace } from '../../trees/kernels/workspace.ts';
import { type BoostingObjective, createObjective, type TreeTargets } from '../../trees/objective.ts';
import type { BoostingSettings } from '../../trees/settings.ts';
import { balancedWeights } from '../balanced-weights.ts';

/** Scores of all training rows, which are doubles and needed twice: half a gigabyte. */
const MAX_SCORES = 2 ** 25;

/** What a forest is grown from; equal for all workers that grow it together, but for the threads. */
export interface ForestRowsTask {
  features: FittedFeatures;
  train: Examples;
  settings: BoostingSettings;
  bins: number;
  threads: number;
  /** Whether all classes weigh the same. */
  balanced: boolean;
}

/** All training rows, ready for a booster. */
export interface BoostedRows {
  objective: BoostingObjective;
  targets: TreeTargets;
  work: Workspace;
}

/** Throws {@link DataTooLarge}. */
export function boostedRows(task: ForestRowsTask): BoostedRows {
  const { features, train, settings, bins, threads } = task;
  const targets = targetsOf(task);
  const objective = createObjective(settings, targets);
  if (train.inputs.length * objective.outputs > MAX_SCORES) throw tooManyScores(train.inputs.length, objective.outputs);
  const columns = plainFeatures(features, train.inputs, { labels: train.labels, classes: features.classes });
  const cut = columns.map((column) => featureBins(column, bins));
  return { objective, targets, work: new Workspace(cut, columns, { slots: settings.maxLeaves, threads }) };
}

/** Classes by number, with weights that make all classes equal if asked for; or standardised numbers. */
function targetsOf({ features: { target, classes }, train: { labels }, balanced }: ForestRowsTask): TreeTargets {
  if (labels instanceof Float64Array && target !== undefined)
    return { values: Float32Array.from(labels, (label) => (label - target.mean) / target.scale) };
  if (!(labels instanceof Int32Array)) throw new RangeError('a forest is trained on classes or numbers');
  const values = Float32Array.from(labels);
  return balanced ? { values, weights: balancedWeights(labels, classes.length) } : { values };
}

const tooManyScores = (rows: number, outputs: number): DataTooLarge =>
  new DataTooLarge('a forest for so many rows and classes needs too much memory', {
    detail: `${rows} rows have ${outputs} scores each; the limit is ${MAX_SCORES} scores.`,
    hint: "Train on fewer rows, or another family: families => '{linear}'.",
  });
