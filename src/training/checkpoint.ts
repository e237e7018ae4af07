import type { Ballots } from '../domain/kinds/kind.ts';
import type { ParamSet, TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { Learner, ModelParts } from '../models/learner.ts';

/** The best epoch so far, which is the trial's result. */
export interface Best {
  score: number;
  metrics: Record<string, number>;
  /** 1-based. */
  epoch: number;
  /** In the form in which they are deployed. */
  parts: ModelParts;
  predictions: Ballots;
  /** What else is kept of its answers. */
  kept: Float32Array;
}

/** The trial's position; together with the learner's tensors this is its complete state. */
export interface Progress {
  /** Completed epochs, including validation. */
  epoch: number;
  /** Planned epochs: the recipe's, or as many as there is time for. */
  epochs: number;
  /** Completed steps of the current epoch. */
  step: number;
  /** Sum of their losses. */
  lossSum: number;
  seconds: number;
  /** Their number when the current epoch started, and how long an epoch has taken lately. */
  epochStart: number;
  epochSeconds: number;
  best: Best | null;
}

const prefix = 'train/';
const bestParts = 'best/weights/';
const bestPredictions = 'best/predictions';
const bestKept = 'best/kept';

export const freshProgress = (epochs: number): Progress => ({
  epoch: 0,
  epochs,
  step: 0,
  lossSum: 0,
  seconds: 0,
  epochStart: 0,
  epochSeconds: 0,
  best: null,
});

/** The complete state, to continue elsewhere without a difference; tensors are copied. */
export function writeCheckpoint(progress: Progress, learner: Learner): ParamSet {
  const { best, ...counters } = progress;
  const tensors = withPrefix(prefix, learner.state());
  if (best === null) return { tensors, meta: { ...counters, steps: learner.steps, best: null } };
  const { parts, predictions, kept, ...scores } = best;
  Object.assign(tensors, withPrefix(bestParts, parts));
  tensors[bestPredictions] = {
    shape: [predictions.length],
    ...(predictions instanceof Float32Array
      ? { dtype: 'float32', data: predictions }
      : { dtype: 'int32', data: Int32Array.from(predictions) }),
  };
  if (kept.length > 0) tensors[bestKept] = { dtype: 'float32', shape: [kept.length], data: kept };
  return { tensors, meta: { ...counters, steps: learner.steps, best: scores } };
}

/** Restores the learner's state. Returns the trial's position. Throws {@link CorruptParams}. */
export function readCheckpoint({ tensors, meta }: ParamSet, learner: Learner): Progress {
  learner.restore(withoutPrefix(prefix, tensors), counter(meta, 'steps'));
  return {
    epoch: counter(meta, 'epoch'),
    epochs: counter(meta, 'epochs'),
    step: counter(meta, 'step'),
    lossSum: counter(meta, 'lossSum'),
    seconds: counter(meta, 'seconds'),
    ...paceOf(meta),
    best: readBest(tensors, meta),
  };
}

function readBest(tensors: Record<string, TensorData>, { best, epoch: done }: Record<string, unknown>): Best | null {
  if (best === null) return null;
  const { score, metrics, epoch = Number(done) } = best as Pick<Best, 'score' | 'metrics'> & Partial<Best>; // earlier versions stored no epoch
  const parts = withoutPrefix(bestParts, tensors);
  const kept = tensors[bestKept]?.data; // earlier versions stored none
  const said = {
    predictions: readPredictions(tensors),
    kept: kept instanceof Float32Array ? kept : new Float32Array(0),
  };
  return { score, metrics, epoch, parts, ...said };
}

function readPredictions(tensors: Record<string, TensorData>): Ballots {
  const predictions = tensors[bestPredictions]?.data;
  if (predictions instanceof Float32Array) return predictions;
  if (predictions instanceof Int32Array) return Uint16Array.from(predictions);
  throw unfit(bestPredictions);
}

const withPrefix = (start: string, tensors: ModelParts): Record<string, TensorData> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [start + name, tensor]));

const withoutPrefix = (start: string, tensors: ModelParts): Record<string, TensorData> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(start) ? [[name.slice(start.length), tensor]] : [],
    ),
  );

/** Checkpoints of earlier versions have no pace. */
function paceOf(meta: Record<string, unknown>): Pick<Progress, 'epochStart' | 'epochSeconds'> {
  const seconds = counter(meta, 'seconds');
  const { epochStart = seconds, epochSeconds = seconds / Math.max(1, counter(meta, 'epoch')) } = meta;
  return { epochStart: counter({ epochStart }, 'epochStart'), epochSeconds: counter({ epochSeconds }, 'epochSeconds') };
}

function counter(meta: Record<string, unknown>, name: string): number {
  const value = meta[name];
  if (typeof value !== 'number') throw unfit(name);
  return value;
}

const unfit = (name: string): CorruptParams =>
  new CorruptParams('the checkpoint cannot be read', {
    detail: `"${name}" is missing or has the wrong type`,
    hint: 'The trial must start from the beginning.',
  });
