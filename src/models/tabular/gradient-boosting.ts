import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import { outputOf, type Task } from '../../domain/task.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import { fitPlain } from '../../features/columns/plain.ts';
import { Booster } from '../../trees/booster.ts';
import { followForest } from '../../trees/joint/follow.ts';
import { boostingSettings, type ObjectiveName } from '../../trees/settings.ts';
import { fitAnswers } from '../answering.ts';
import type { LearnerFamily } from '../family.ts';
import { choiceKnob, countKnob, numberKnob } from '../knobs.ts';
import { ForestLearner } from './forest-learner.ts';
import { boostedRows, type ForestRowsTask } from './forest-rows.ts';

const numberLosses = ['squared_error', 'absolute_error'] as const;

/**
 * Gradient boosted decision trees as of LightGBM (Ke et al. 2017). Defaults are those with which it and XGBoost do well on most tables;
 * ranges are about those of FLAML (Wang et al. 2021), around them.
 */
export const gradientBoosting: LearnerFamily = {
  name: 'gradient_boosting',
  title: 'gradient boosting: a sum of small decision trees',
  input: 'columns',
  outputs: ['label', 'number'],

  space(task) {
    const space = new HyperSpace()
      .addCategoricalKnob('bins', [63, 127, 255], { group: 'preprocessing', initial: 255 })
      .addRangeKnob('leaves', 'int', 4, 256, { group: 'architecture', initial: 31, log: true })
      .addRangeKnob('epochs', 'int', 1, 1000, { group: 'training', initial: 100, untuned: true })
      .addRangeKnob('learning_rate', 'float', 0.02, 0.3, { group: 'training', initial: 0.05, log: true })
      .addRangeKnob('min_leaf_weight', 'float', 0.01, 100, { group: 'training', initial: 1, log: true })
      .addRangeKnob('row_share', 'float', 0.4, 1, { group: 'training', initial: 0.8 })
      .addRangeKnob('column_share', 'float', 0.2, 1, { group: 'training', initial: 0.8 })
      .addRangeKnob('l1', 'float', 0.001, 10, { group: 'training', initial: 0.001, log: true })
      .addRangeKnob('l2', 'float', 0.001, 100, { group: 'training', initial: 1, log: true })
      .addRangeKnob('category_smoothing', 'float', 1, 100, { group: 'training', initial: 10, log: true });
    return outputOf(task) === 'number'
      ? space.addCategoricalKnob('loss', numberLosses, { group: 'training', initial: 'squared_error' })
      : space;
  },

  learner(spec, together) {
    const { valid } = spec.data;
    return new ForestLearner({ ...rowsTask(spec), valid, epochs: countKnob(spec.knobs, 'epochs') }, together);
  },

  async joins(spec, lead) {
    const task = rowsTask(spec);
    const rows = boostedRows(task);
    const booster = new Booster({ ...task, ...rows });
    try {
      await followForest({ booster, rows: rows.targets.values.length, lead });
    } finally {
      rows.work.stop();
    }
  },
};

function rowsTask(spec: TrainingSpec): ForestRowsTask {
  const { task, knobs, seed, threads, data, fitTo = data.train, balanced = false } = spec;
  const { train, classes } = data;
  const fitted = { ...fitTo, classes };
  return {
    features: { encoder: 'plain', ...fitAnswers(fitted), state: fitPlain(fitted.inputs, fitted) },
    ...{ train, threads, balanced, bins: countKnob(knobs, 'bins', 2) },
    settings: boostingSettings({
      objective: objectiveOf(task, knobs),
      classes: Math.max(2, classes.length),
      learningRate: numberKnob(knobs, 'learning_rate'),
      maxLeaves: countKnob(knobs, 'leaves'),
      minLeafWeight: numberKnob(knobs, 'min_leaf_weight'),
      rowShare: numberKnob(knobs, 'row_share'),
      columnShare: numberKnob(knobs, 'column_share'),
      l1: numberKnob(knobs, 'l1'),
      l2: numberKnob(knobs, 'l2'),
      categorySmoothing: numberKnob(knobs, 'category_smoothing'),
      seed,
    }),
  };
}

const objectiveOf = (task: Task, knobs: Knobs): ObjectiveName =>
  outputOf(task) === 'number' ? choiceKnob(knobs, 'loss', numberLosses) : 'log_loss';
