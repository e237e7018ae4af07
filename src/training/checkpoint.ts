import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { Trainer } from '../engine/trainer.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Weights } from '../models/family.ts';

/** The best epoch so far, which is the trial's result. */
export interface Best {
  score: number;
  metrics: Record<string, number>;
  /** In the form in which they are deployed. */
  weights: Weights;
  predictions: Uint16Array;
}

/** The trial's position; together with the trainer's tensors this is its complete state. */
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
const bestWeights = 'best/weights/';
const bestPredictions = 'best/predictions';

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
export function writeCheckpoint(progress: Progress, trainer: Trainer): ParamSet {
  const tensors: Record<string, TensorData> = {};
  for (const [name, tensor] of Object.entries(trainer.state())) tensors[prefix + name] = tensor;
  const { best, ...counters } = progress;
  if (best === null) return { tensors, meta: { ...counters, steps: trainer.steps, best: null } };
  const { score, metrics, weights, predictions } = best;
  for (const [name, { shape, data }] of Object.entries(weights)) {
    tensors[bestWeights + name] = { dtype: 'float32', shape: [...shape], data };
  }
  tensors[bestPredictions] = { dtype: 'int32', shape: [predictions.length], data: Int32Array.from(predictions) };
  return { tensors, meta: { ...counters, steps: trainer.steps, best: { score, metrics } } };
}

/** Restores the trainer's state. Returns the trial's position. Throws {@link CorruptParams}. */
export function readCheckpoint({ tensors, meta }: ParamSet, trainer: Trainer): Progress {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  trainer.restore(
    Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])),
    counter(meta, 'steps'),
  );
  return {
    epoch: counter(meta, 'epoch'),
    epochs: counter(meta, 'epochs'),
    step: counter(meta, 'step'),
    lossSum: counter(meta, 'lossSum'),
    seconds: counter(meta, 'seconds'),
    ...paceOf(meta),
    best: readBest(tensors, meta['best']),
  };
}

function readBest(tensors: Record<string, TensorData>, meta: unknown): Best | null {
  if (meta === null) return null;
  const predictions = tensors[bestPredictions]?.data;
  if (!(predictions instanceof Int32Array)) throw unfit(bestPredictions);
  const { score, metrics } = meta as Pick<Best, 'score' | 'metrics'>;
  return { score, metrics, weights: withPrefix(bestWeights, tensors), predictions: Uint16Array.from(predictions) };
}

function withPrefix(start: string, tensors: Record<string, TensorData>): Weights {
  const weights: Record<string, Weight> = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (!name.startsWith(start)) continue;
    if (!(data instanceof Float32Array)) throw unfit(name);
    weights[name.slice(start.length)] = { shape, data };
  }
  return weights;
}

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
