import type { HyperSpace, Knobs } from '../domain/hyper-space.ts';
import type { Examples, InputKind, Labels, OutputKind, RawInput, Task } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import type { OptimiserName } from '../graph/optimisers/registry.ts';
import type { Schedule } from '../graph/optimisers/schedule.ts';
import type { Rng } from '../runtime/rng.ts';

/** Training rows as a family fits its features on them. */
export interface FitData {
  inputs: readonly RawInput[];
  labels: Labels;
  classes: readonly string[];
}

/** How a family trains with given knobs. Optimiser, batch, and whether there are `clipNorm` and `averageDecay` shape the graph; the rest is fed. */
export interface Recipe {
  optimiser: OptimiserName;
  epochs: number;
  batch: number;
  /** Peak of the schedule. */
  learningRate: number;
  /** Where not given: a climb over the first twentieth of training, then straight down to zero. */
  schedule?: Schedule;
  momentum: number;
  weightDecay: number;
  dropout: number;
  /** Largest norm of all gradients together; they are not clipped where not given. */
  clipNorm?: number;
  /** Share of the past in averages of the weights, which then are what is validated and deployed; none are kept where not given. */
  averageDecay?: number;
  /** Share of each target that is spread evenly over the classes (Szegedy et al. 2016). */
  labelSmoothing: number;
  /**
   * Steps of one run of the engine: reports, stops and checkpoints happen between runs, so a run should stay below a second.
   * The same on every machine, since where runs end decides which rows share a batch.
   */
  stepsPerRun: number;
  /**
   * Least steps of an epoch, for families that need whole batches: few rows are then seen several times in an epoch. Where
   * not given, few rows go in smaller batches.
   */
  stepsPerEpoch?: number;
}

/** Training rows cut into batches that come with their targets. */
export interface TrainingRows {
  readonly count: number;
  /** How long a row is: batches of rows alike in length waste least on padding. */
  length(row: number): number;
  batch(rows: Int32Array, draw: Draw): Batch;
}

export interface Batch {
  inputs: Record<string, TensorData>;
  targets: Record<string, TensorData>;
}

/** What a batch is drawn with. */
export interface Draw {
  /** All randomness of the step. */
  rng: Rng;
  /** Share of training that is done, in [0, 1). */
  progress: number;
}

/** What is known of a trial before its rows are. */
export interface Fitted {
  features: FittedFeatures;
  knobs: Knobs;
  network: Network;
}

export type Weights = Readonly<Record<string, Weight>>;

/** An architecture of the zoo. A new one is one file and one line in the registry. */
export interface Family {
  name: string;
  title: string;
  /** What it is fed with and what it answers: it can do the tasks of this form. */
  input: InputKind;
  output: OutputKind;
  /** A study with room for fewer trials tries it only when asked to: it takes much longer than the task's other families. */
  minTrials?: number;
  space(task: Task): HyperSpace;
  /** Knobs of the next smaller network, which trains several times as quickly; null where there is none. */
  lighter?(knobs: Knobs): Knobs | null;
  fit(data: FitData, knobs: Knobs): FittedFeatures | Promise<FittedFeatures>;
  network(features: FittedFeatures, knobs: Knobs): Network;
  recipe(knobs: Knobs): Recipe;
  /** Changes a training batch in place, as image families crop and flip. */
  augment?(batch: Record<string, TensorData>, knobs: Knobs, rng: Rng): void;
  /** Training rows of its own, where targets change with the augmentation; otherwise they come from encoder and `augment`. */
  trainingRows?(examples: Examples, fitted: Fitted): Promise<TrainingRows>;
  /** An equal network that answers faster. */
  compact?(network: Network): Compact;
}

/** What takes a trained network's place, and its weights made from the trained ones. */
export interface Compact {
  network: Network;
  weights(trained: Weights): Weights;
}
