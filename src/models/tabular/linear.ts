import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import { denseColumns, fitDense } from '../../features/dense.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { answering, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { NetworkFamily, Recipe } from '../family.ts';
import { trainingKnobs } from '../knobs.ts';

/** Small steps with a few numbers each: a run of the engine costs more than some of them. */
const stepsPerRun = 64;

/** Logistic regression on scaled numbers and categories, p = softmax(W · x + b), or ridge regression, y = w · x + b: weights decay. */
export const linear: NetworkFamily = {
  name: 'linear',
  title: 'linear: one weight per number and category',
  input: 'columns',
  outputs: ['label', 'number'],

  space: () =>
    new HyperSpace()
      .addRangeKnob('epochs', 'int', 5, 100, { group: 'training', initial: 30 })
      .addCategoricalKnob('batch', [32, 64, 128, 256], { group: 'training', initial: 128 })
      .addRangeKnob('learning_rate', 'float', 1e-3, 0.1, { group: 'training', initial: 0.01, log: true })
      .addRangeKnob('weight_decay', 'float', 1e-4, 1, { group: 'training', initial: 0.01, log: true }),

  fit: (data) => ({ encoder: 'dense', ...fitAnswers(data), state: fitDense(data.inputs, data) }),

  network: (features) => {
    const answers = answersOf(features);
    const [{ width: columns }, width] = [denseColumns(features), answerWidth(answers)];
    return answering(answers, {
      inputs: { x: { shape: [columns], dtype: 'float32' } },
      parameters: {
        'out.w': { shape: [columns, width], init: { kind: 'zeros' } },
        'out.b': { shape: [width], init: { kind: 'zeros' } },
      },
      logits: (t, inputs, parameters) => dense(t, inputs.of('x'), parameters.of('out.w'), parameters.of('out.b')),
    });
  },

  recipe: (knobs: Knobs): Recipe => ({
    optimiser: 'adamw',
    ...trainingKnobs(knobs),
    momentum: 0,
    dropout: 0,
    labelSmoothing: 0,
    stepsPerRun,
  }),
};
