import type { Examples, Labels } from '../domain/task.ts';
import type { TrainingSpec } from '../domain/training.ts';
import { BadData, Diverged } from '../errors/errors.ts';

/** How a network that was chosen is trained again on all rows, validation rows included. */
export interface Refit {
  /**
   * From its last weights, with what time is left; otherwise from the beginning, as many epochs as gave the best score. Continuing is
   * for networks that took most of the study's time.
   */
  continues: boolean;
  /** Whether it starts from weights that belong to the features of the training rows. */
  keepsFeatures: boolean;
  until: number;
  /** Of the training on the training rows, and of an epoch of it. */
  seconds: number;
  /** Of the network on validation rows, before: the new one, which is trained on them, must not be below. */
  score: number;
  epochSeconds: number;
  /** Identifies the validation rows, in hexadecimal: another snapshot of the source may have other classes. */
  validationHash: string;
}

/** Share of the learning rate's peak from which it falls again when a trained network continues on all rows. */
const CONTINUED_RATE = 0.5;

/** The same network on all rows. */
export function refitSpec(
  spec: TrainingSpec,
  { continues, keepsFeatures }: Pick<Refit, 'continues' | 'keepsFeatures'>,
): TrainingSpec {
  const { data, knobs } = spec;
  const train = joined(data.train, data.valid);
  const all = { ...spec, data: { ...data, train }, ...(keepsFeatures ? { fitTo: data.train } : {}) };
  if (!continues) return all;
  return { ...all, knobs: { ...knobs, learning_rate: CONTINUED_RATE * Number(knobs['learning_rate']) } };
}

const joined = (a: Examples, b: Examples): Examples => ({
  inputs: [...a.inputs, ...b.inputs],
  labels: joinedLabels(a.labels, b.labels),
});

function joinedLabels(a: Labels, b: Labels): Labels {
  if (a instanceof Int32Array && b instanceof Int32Array) return Int32Array.from([...a, ...b]);
  if (a instanceof Float64Array && b instanceof Float64Array) return Float64Array.from([...a, ...b]);
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) throw new RangeError('both parts have labels of one kind');
  return [...a, ...b];
}

export const otherRows = (): BadData =>
  new BadData('this machine has other rows than those that the network was chosen by', {
    detail: 'The source changed between the times at which they were read.',
    hint: 'The model has the network as it was.',
  });

export const worseThanBefore = (score: number, before: number): Diverged =>
  new Diverged('the network became worse when it was trained again on all rows', {
    detail: `Its score on rows that it was trained on is ${score.toFixed(4)}, before it was ${before.toFixed(4)}.`,
    hint: 'The model has the network as it was.',
  });
