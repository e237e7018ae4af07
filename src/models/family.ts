import type { HyperSpace, Knobs } from '../domain/hyper-space.ts';
import type { RawInput, Task } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import type { OptimiserName } from '../graph/optimisers/registry.ts';
import type { Rng } from '../runtime/rng.ts';

/** Training rows as a family fits its features on them. */
export interface FitData {
  inputs: readonly RawInput[];
  classes: readonly string[];
}

/** How a family trains with given knobs. Everything but optimiser and batch is an input of the graph. */
export interface Recipe {
  optimiser: OptimiserName;
  epochs: number;
  batch: number;
  /** Peak of the schedule: linear warm-up over the first part of training, then linearly down to zero. */
  learningRate: number;
  momentum: number;
  weightDecay: number;
  dropout: number;
  /** Share of each target that is spread evenly over the classes (Szegedy et al. 2016). */
  labelSmoothing: number;
  /**
   * Steps of one run of the engine: reports, stops and checkpoints happen between runs, so a run should stay below a second.
   * The same on every machine, since where runs end decides which rows share a batch.
   */
  stepsPerRun: number;
}

export type Weights = Readonly<Record<string, Weight>>;

/** An architecture of the zoo. A new one is one file and one line in the registry. */
export interface Family {
  name: string;
  title: string;
  tasks: readonly Task[];
  space(task: Task): HyperSpace;
  fit(data: FitData, knobs: Knobs): FittedFeatures | Promise<FittedFeatures>;
  network(features: FittedFeatures, knobs: Knobs): Network;
  recipe(knobs: Knobs): Recipe;
  /** Changes a training batch in place, as image families crop and flip. */
  augment?(batch: Record<string, TensorData>, knobs: Knobs, rng: Rng): void;
  /** An equal network that answers faster, made from the trained weights. */
  compact?(network: Network, weights: Weights): { network: Network; weights: Weights };
}
