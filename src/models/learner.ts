import type { TensorData } from '../domain/tensor.ts';
import type { TrainedModel, TrainedVariant } from '../domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../domain/warm-start.ts';

/** Where a trial is. */
export interface TrainingPlace {
  /** Completed epochs, of those planned. */
  epoch: number;
  epochs: number;
  /** Completed steps of the current epoch. */
  step: number;
}

/** Steps of an epoch that were trained in one go. */
export interface TrainedSteps {
  steps: number;
  /** Sum of their losses. */
  lossSum: number;
}

/** What a model is made of: tensors by name. */
export type ModelParts = Readonly<Record<string, TensorData>>;

/** The model as it is, on the validation rows. */
export interface ValidatedParts {
  /** As the exported file answers, [rows, …]. */
  answers: TensorData;
  /** A copy: training may continue in the same memory. */
  parts(): ModelParts;
}

/** What the weights of other trials may start, and what they may start from. */
export interface WeightSharing {
  requested: readonly RequestedTensor[];
  setInitialWeights(tensors: Record<string, TensorData>): void;
  /** Copies. */
  published(): PublishedWeights;
}

/**
 * A model in training, epoch by epoch: a network, or what a family trains in place of one. Its caller reports, stores checkpoints,
 * compares epochs, and ends it.
 */
export interface Learner {
  /** Without a limit of time. */
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Trained so far. */
  readonly steps: number;
  /** Epochs without a better score after which training is over; without it all epochs are trained. */
  readonly patience?: number;
  /** Whether its state is enough to continue; if not, a trial that lost its worker begins again. Default: it is. */
  readonly savesState?: boolean;
  /** Absent if trials have nothing to start from. */
  readonly sharing?: WeightSharing;
  /**
   * Trains the next steps of the current epoch, at least one; it should take less than a second, because between two calls checkpoints and
   * stops are possible. Null if `stopNow` has ended it.
   */
  train(at: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null>;
  validated(): Promise<ValidatedParts>;
  /** The model of these parts, which are of one of its epochs, and its variants in other precisions. */
  exported(parts: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }>;
  /** All that is needed to continue; copies. */
  state(): Record<string, TensorData>;
  /** Throws `CorruptParams` for a state that is not its own. */
  restore(state: Record<string, TensorData>, steps: number): void;
  release(): Promise<void>;
}
