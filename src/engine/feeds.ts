import type { TensorData } from '../domain/tensor.ts';
import { feed } from '../graph/feed-names.ts';
import type { Network } from '../graph/network.ts';
import type { Optimiser } from '../graph/optimisers/optimiser.ts';
import { isRagged } from '../graph/step-inputs.ts';
import { decayAt } from '../graph/weight-average.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { boundsOf, joinData } from './join.ts';

/** The rows of one step: the network's inputs and targets by name, [B, …]. */
export interface TrainingStep {
  inputs: Record<string, TensorData>;
  targets: Record<string, TensorData>;
  learningRate: number;
}

/** Scalars that are constant during a run. */
export interface Settings {
  momentum: number;
  weightDecay: number;
  dropout: number;
  /** Maximum norm of all gradients together, for a trainer that clips. */
  clipNorm?: number;
  /** Decay of the weights' moving averages, for a trainer that has them. */
  averageDecay?: number;
}

export type Feeds = Record<string, TensorData>;

/** Number of steps, their learning rates, and the settings; `done` steps came before. */
export function scalarFeeds(
  steps: readonly TrainingStep[],
  settings: Settings,
  run: { optimiser: Optimiser; done: number },
): Feeds {
  const rates = Float32Array.from(steps, (step) => step.learningRate);
  const sizes = rates.map((rate, k) => rate * run.optimiser.correction(run.done + k + 1));
  const { clipNorm, averageDecay } = settings;
  const decays = rates.map((_, k) => decayAt(run.done + k, averageDecay ?? 0));
  return {
    ...(clipNorm === undefined ? {} : { [feed.clipNorm]: scalar(clipNorm) }),
    ...(averageDecay === undefined
      ? {}
      : { [feed.averageDecay]: { dtype: 'float32', shape: [steps.length], data: decays } }),
    [feed.steps]: { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(steps.length)) },
    [feed.learningRate]: { dtype: 'float32', shape: [steps.length], data: rates },
    [feed.stepSize]: { dtype: 'float32', shape: [steps.length], data: sizes },
    [feed.momentum]: scalar(settings.momentum),
    [feed.weightDecay]: scalar(settings.weightDecay),
    [feed.dropout]: scalar(settings.dropout),
  };
}

/** Inputs and targets of all steps, concatenated. */
export function batchFeeds(
  steps: readonly TrainingStep[],
  { network, batch }: { network: Network; batch: number },
): Feeds {
  const feeds: Feeds = {};
  const addFeeds = (
    specs: Network['inputs'],
    part: (step: TrainingStep) => TrainingStep['inputs'],
    fedAs: (name: string) => string,
  ): void => {
    for (const [name, { shape, dtype }] of Object.entries(specs)) {
      const parts = steps.map((step) => part(step)[name] as TensorData);
      const data = joinData(parts);
      if (isRagged(shape)) {
        feeds[fedAs(name)] = { dtype, shape: [data.length], data };
        const bounds = toInt64(boundsOf(parts));
        feeds[feed.bounds(fedAs(name))] = { dtype: 'int64', shape: [steps.length, 2], data: bounds };
      } else feeds[fedAs(name)] = { dtype, shape: [steps.length, batch, ...shape.map(Number)], data };
    }
  };
  addFeeds(network.inputs, (step) => step.inputs, feed.input);
  addFeeds(network.targets, (step) => step.targets, feed.target);
  return feeds;
}

/** Uniform random numbers of each step, from (seed, step) only, independent of the run. */
export function noiseFeeds(shapes: readonly number[][], run: { steps: number; done: number; seed: number }): Feeds {
  const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
  const data = sizes.map((size) => new Float32Array(size * run.steps));
  for (let k = 0; k < run.steps; k++) {
    const rng = createRng(deriveSeed(run.seed, run.done + k, 1));
    data.forEach((values, i) => {
      const size = sizes[i] as number;
      for (let j = k * size; j < (k + 1) * size; j++) values[j] = rng.uniform();
    });
  }
  return Object.fromEntries(
    data.map((values, i) => [
      feed.noise(i),
      { dtype: 'float32', shape: [run.steps, ...(shapes[i] as number[])], data: values },
    ]),
  );
}

const scalar = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

const toInt64 = (values: Int32Array): BigInt64Array => BigInt64Array.from(values, (value) => BigInt(value));
