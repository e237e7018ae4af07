import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { Trainer } from '../engine/trainer.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Weights } from '../models/family.ts';

/** The best epoch so far: what a trial ends with. */
export interface Best {
  score: number;
  metrics: Record<string, number>;
  /** As they are deployed. */
  weights: Weights;
  predictions: Uint16Array;
}

/** How far a trial has come; with the trainer's tensors this is all there is to know. */
export interface Progress {
  /** Whole epochs done, validation included. */
  epoch: number;
  /** Whole epochs planned: the recipe's, or as many as there is time for. */
  epochs: number;
  /** Steps done of the current epoch. */
  step: number;
  /** Sum of the losses of those steps. */
  lossSum: number;
  seconds: number;
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
  best: null,
});

/** Everything needed to go on elsewhere as if nothing had happened; tensors are copies. */
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

/** Puts the trainer where the checkpoint left it, and says how far that is. */
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
    best: readBest(tensors, meta['best']),
  };
}

function readBest(tensors: Record<string, TensorData>, meta: unknown): Best | null {
  if (meta === null) return null;
  const predictions = tensors[bestPredictions]?.data;
  if (!(predictions instanceof Int32Array)) throw unfit(bestPredictions);
  const { score, metrics } = meta as Pick<Best, 'score' | 'metrics'>;
  return { score, metrics, weights: under(bestWeights, tensors), predictions: Uint16Array.from(predictions) };
}

function under(start: string, tensors: Record<string, TensorData>): Weights {
  const weights: Record<string, Weight> = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (!name.startsWith(start)) continue;
    if (!(data instanceof Float32Array)) throw unfit(name);
    weights[name.slice(start.length)] = { shape, data };
  }
  return weights;
}

function counter(meta: Record<string, unknown>, name: string): number {
  const value = meta[name];
  if (typeof value !== 'number') throw unfit(name);
  return value;
}

const unfit = (name: string): CorruptParams =>
  new CorruptParams('the checkpoint cannot be read', {
    detail: `"${name}" is missing or of another type`,
    hint: 'The trial must start again from its beginning.',
  });
