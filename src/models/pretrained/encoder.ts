import { HyperSpace } from '../../domain/hyper-space.ts';
import { inputOf, type Task } from '../../domain/task.ts';
import type { LearnerFamily } from '../family.ts';
import { choiceKnob, countKnob, numberKnob } from '../knobs.ts';
import { addEncoderKnob } from './encoder-knob.ts';
import { createHeadLearner } from './head-learner.ts';
import { noEncoder } from './no-encoder.ts';

const kernels = ['linear', 'rbf', 'polynomial'] as const;
const normalisations = ['none', 'unit', 'standard'] as const;

/** What was better with each kind of input: docs/experiments/encoder.md. */
const ofTexts = { normalisation: 'unit', kernel: 'rbf' } as const;
const ofImages = { normalisation: 'standard', kernel: 'linear' } as const;
const startOf = (task: Task): typeof ofTexts | typeof ofImages => (inputOf(task) === 'image' ? ofImages : ofTexts);

/** A pretrained encoder as it is, with a kernel machine on its vectors. Regularisation and kernels are those of the paper's table 1. */
export const encoder: LearnerFamily = {
  name: 'encoder',
  title: 'pretrained encoder (if one was added): frozen, with a kernel machine',
  input: ['text', 'image'],
  outputs: ['label', 'number'],
  needsEncoder: true,

  space: (task, { encoders } = { encoders: [] }) =>
    addEncoderKnob(new HyperSpace(), encoders)
      .addCategoricalKnob('normalisation', normalisations, {
        group: 'preprocessing',
        initial: startOf(task).normalisation,
      })
      .addCategoricalKnob('kernel', kernels, { group: 'architecture', initial: startOf(task).kernel })
      .addCategoricalKnob('landmarks', [256, 512, 1024], { group: 'architecture', initial: 1024 })
      .addRangeKnob('gamma', 'float', 0.1, 10, { group: 'architecture', initial: 2, log: true })
      .addRangeKnob('degree', 'int', 2, 4, { group: 'architecture', initial: 2 })
      .addRangeKnob('epochs', 'int', 1, 50, { group: 'training', initial: 12, untuned: true })
      .addRangeKnob('l2', 'float', 1e-3, 10, { group: 'training', initial: 0.1, log: true }),

  learner(spec) {
    const { knobs, pretrained } = spec;
    if (pretrained === undefined) throw noEncoder();
    return createHeadLearner(spec, pretrained, {
      settings: {
        kernel: choiceKnob(knobs, 'kernel', kernels),
        normalisation: choiceKnob(knobs, 'normalisation', normalisations),
        landmarks: countKnob(knobs, 'landmarks'),
        gamma: numberKnob(knobs, 'gamma'),
        degree: countKnob(knobs, 'degree'),
      },
      l2: numberKnob(knobs, 'l2'),
      epochs: countKnob(knobs, 'epochs'),
    });
  },
};
