import { HyperSpace } from '../../domain/hyper-space.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import { answersOf, fitAnswers } from '../answering.ts';
import type { NetworkFamily } from '../family.ts';
import { numberKnob, regularisationKnobs, trainingKnobs } from '../knobs.ts';
import { addEncoderKnob } from './encoder-knob.ts';
import { noEncoder } from './no-encoder.ts';
import { tunedNetwork } from './tuned-network.ts';

/** An epoch of a small encoder takes half a minute on one core. */
const MIN_SECONDS = 90;

/** Steps of an epoch at most. */
const EPOCH_STEPS = 100;

/** A pretrained encoder whose own weights are trained further, with a linear head that starts from the best one on its vectors as they are. */
export const encoderTuned: NetworkFamily = {
  name: 'encoder_tuned',
  title: 'tuned pretrained encoder (if one was added): its weights are trained further',
  input: ['text', 'image'],
  outputs: ['label', 'number'],
  needsEncoder: true,
  trainsEncoder: true,
  minSeconds: MIN_SECONDS,

  space: (_, { encoders } = { encoders: [] }) =>
    addEncoderKnob(
      new HyperSpace(),
      encoders.filter(({ trainable }) => trainable),
    )
      .addCategoricalKnob('trained', [0.25, 0.5, 1], { group: 'architecture', initial: 1 })
      .addRangeKnob('epochs', 'int', 2, 10, { group: 'training', initial: 4 })
      .addCategoricalKnob('batch', [16, 32, 64], { group: 'training', initial: 64 })
      .addRangeKnob('learning_rate', 'float', 1e-5, 1e-3, { group: 'training', initial: 2e-4, log: true })
      .addRangeKnob('first_rate', 'float', 0.05, 1, { group: 'training', initial: 0.3, log: true })
      .addRangeKnob('head_rate', 'float', 1, 20, { group: 'training', initial: 5, log: true })
      .addRangeKnob('l2', 'float', 1e-2, 10, { group: 'training', initial: 1, log: true })
      .addRangeKnob('weight_decay', 'float', 0, 0.3, { group: 'training', initial: 0.01 })
      .addRangeKnob('dropout', 'float', 0, 0.5, { group: 'training', initial: 0.1 })
      .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0 }),

  async open(spec: TrainingSpec, { replaced }) {
    if (spec.pretrained === undefined) throw noEncoder();
    const { openTuned } = await import('./open-tuned.ts');
    return openTuned(spec, spec.pretrained, { l2: numberKnob(spec.knobs, 'l2'), replaced });
  },

  fit(data, _, body) {
    if (body === undefined) throw noEncoder();
    const { encoder, state } = body.encoder.features;
    return { encoder, state, ...fitAnswers(data) };
  },

  network(features, knobs, body) {
    if (body === undefined) throw noEncoder();
    const settings = {
      share: numberKnob(knobs, 'trained'),
      firstRate: numberKnob(knobs, 'first_rate'),
      headRate: numberKnob(knobs, 'head_rate'),
    };
    return tunedNetwork({ ...body, ...answersOf(features), settings });
  },

  recipe: (knobs) => ({
    optimiser: 'adamw',
    ...trainingKnobs(knobs),
    ...regularisationKnobs(knobs),
    momentum: 0,
    clipNorm: 1,
    schedule: { kind: 'linear', warmUp: 0.1 },
    stepsPerRun: 4,
    maxStepsPerEpoch: EPOCH_STEPS,
  }),
};
