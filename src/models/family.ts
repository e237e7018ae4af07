import type { HyperSpace, Knobs } from '../domain/hyper-space.ts';
import type { GrowingTeam, Lead } from '../domain/joint-training.ts';
import type { Examples, InputKind, Labels, OutputKind, RawInput, Task } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures, KnownEncoder, TrainingSpec } from '../domain/training.ts';
import type { ImportedEncoder } from '../encoders/tuned/import-encoder.ts';
import type { LinearLayer } from '../encoders/tuned/linear-start.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import type { OptimiserName } from '../graph/optimisers/registry.ts';
import type { Schedule } from '../graph/optimisers/schedule.ts';
import type { Rng } from '../runtime/rng.ts';
import type { Learner } from './learner.ts';

/** Training rows that features are fitted to. */
export interface FitData {
  inputs: readonly RawInput[];
  labels: Labels;
  classes: readonly string[];
}

/** How a family trains. Optimiser, batch, and whether `clipNorm` and `averageDecay` are set determine the graph; the rest is fed. */
export interface Recipe {
  optimiser: OptimiserName;
  epochs: number;
  batch: number;
  /** Peak of the schedule. */
  learningRate: number;
  /** Default: a warm-up over the first twentieth of training, then linearly to zero. */
  schedule?: Schedule;
  momentum: number;
  weightDecay: number;
  dropout: number;
  /** Maximum norm of all gradients together; they are not clipped if not given. */
  clipNorm?: number;
  /** Decay of the moving averages of the weights, which are then validated and deployed instead; none if not given. */
  averageDecay?: number;
  /** Share of each target that is spread evenly over the classes (Szegedy et al. 2016). */
  labelSmoothing: number;
  /**
   * Steps of one run of the engine: reports, stops and checkpoints are possible between runs, so a run should take less than a
   * second. The same on every machine, because it determines which rows share a batch.
   */
  stepsPerRun: number;
  /**
   * Minimum of steps per epoch, for families that need whole batches: rows are then used several times in an epoch if they are
   * few. If not given, batches are smaller instead.
   */
  stepsPerEpoch?: number;
  /** Maximum of steps per epoch, for slow families: an epoch then has some of the rows if they are many, others each time. */
  maxStepsPerEpoch?: number;
}

/** Training rows as batches of inputs and targets. */
export interface TrainingRows {
  readonly count: number;
  /** Length of a row: batches of rows of similar length need the least padding. */
  length(row: number): number;
  batch(rows: Int32Array, draw: Draw): Batch;
}

interface Batch {
  inputs: Record<string, TensorData>;
  targets: Record<string, TensorData>;
}

/** Randomness and progress for drawing a batch. */
export interface Draw {
  /** All randomness of the step. */
  rng: Rng;
  /** Completed share of training, in [0, 1). */
  progress: number;
}

/** A pretrained encoder that becomes a part of a network. */
export interface PretrainedBody {
  encoder: ImportedEncoder;
  /** Identifies the encoder: what one trial made of its weights is a start for others. */
  from: string;
  /** The weights with which the layer after it starts. */
  head: LinearLayer;
  /** Identifies that layer: the encoder, and what it answers with. */
  headFrom: string;
}

/** What a trial has before its rows are encoded. */
export interface Fitted {
  features: FittedFeatures;
  knobs: Knobs;
  network: Network;
}

export type Weights = Readonly<Record<string, Weight>>;

/** An entry of the zoo. A new one is one file and one line in the registry. */
export type Family = NetworkFamily | LearnerFamily;

interface AnyFamily {
  name: string;
  title: string;
  /** The kinds of its inputs and answers: it can learn the tasks with the same kinds. */
  input: InputKind | readonly InputKind[];
  outputs: readonly OutputKind[];
  /** A study with fewer trials uses it only if requested, because it takes much longer than the task's other families. */
  minTrials?: number;
  /** Whether it stands on a pretrained encoder: studies without one do not have it. */
  needsEncoder?: boolean;
  /** Whether it trains that encoder's own weights further, so that it must be one of which they can be. */
  trainsEncoder?: boolean;
  /** A study uses it only if requested, or if it has this much time left: a trial takes much longer than those of the task's other families. */
  minSeconds?: number;
  space(task: Task, inputs?: SpaceInputs): HyperSpace;
}

/** What the knobs of a family depend on besides its task. */
export interface SpaceInputs {
  /** The pretrained encoders that a study has, in the order in which they are tried. */
  encoders: readonly KnownEncoder[];
}

/** A family that is no network: it trains by itself. */
export interface LearnerFamily extends AnyFamily {
  /** Whether it trains all of its epochs, so that its trials are stopped as those of networks; default: they end by themselves. */
  trainsAllEpochs?: boolean;
  /** The spec has all knobs. `together`: see `joins`. */
  learner(spec: TrainingSpec, together?: GrowingTeam): Learner | Promise<Learner>;
  /**
   * Set if several workers can train one model by sums over their shares of the rows: adds those of a share, until there is no further round.
   * The spec has all knobs.
   */
  joins?(spec: TrainingSpec, lead: Lead): Promise<void>;
}

/** An architecture of networks. */
export interface NetworkFamily extends AnyFamily {
  /** Knobs of the next smaller network, which trains several times faster; null if there is none. */
  smaller?(knobs: Knobs): Knobs | null;
  /**
   * Reads the study's encoder, for a family that trains it further; throws `InvalidState` without one. The spec has all knobs. Where all weights will be
   * `replaced`, by those of a checkpoint or of another worker, it need not find initial ones.
   */
  open?(spec: TrainingSpec, options: { replaced: boolean }): Promise<PretrainedBody>;
  /** `body` is what `open` has read. */
  fit(data: FitData, knobs: Knobs, body?: PretrainedBody): FittedFeatures | Promise<FittedFeatures>;
  network(features: FittedFeatures, knobs: Knobs, body?: PretrainedBody): Network;
  recipe(knobs: Knobs): Recipe;
  /** Changes a training batch in place, such as by crops and flips. */
  augment?(batch: Record<string, TensorData>, knobs: Knobs, rng: Rng): void;
  /** Training rows whose targets change with the augmentation; otherwise they come from encoder and `augment`. */
  trainingRows?(examples: Examples, fitted: Fitted): Promise<TrainingRows>;
  /** An equal network that answers faster. */
  compact?(network: Network, features: FittedFeatures): Compact;
  /** The names of the weights [numbers, scores] and biases [scores] of a family that only adds up the numbers of an encoded row. */
  sum?: { weights: string; biases: string };
}

/** A network that replaces a trained one, and its weights from the trained ones. */
export interface Compact {
  network: Network;
  weights(trained: Weights): Weights;
}
