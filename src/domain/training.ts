import type { Knobs } from './hyper-space.ts';
import type { Metric } from './metrics.ts';
import type { Precision } from './precision.ts';
import type { DataSet, Task } from './task.ts';
import type { ParamSet, TensorData } from './tensor.ts';
import type { PublishedWeights, RequestedTensor } from './warm-start.ts';

/** Everything that decides a trial's result; equal specs give equal results. */
export interface TrainingSpec {
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  /** ONNX Runtime threads of this trial. */
  threads: number;
  data: DataSet;
  /** The metric for comparing epochs; default: the task's. */
  metric?: Metric;
  /** Whether all classes weigh the same in training, however many rows they have. */
  balanced?: boolean;
}

/** One measured score of a running trial, at the end of an epoch. */
export interface TrainingReport {
  /** 1-based epochs done, of `epochs` planned. */
  epoch: number;
  epochs: number;
  step: number;
  /** Mean training loss of the epoch. */
  loss: number;
  /** Validation score in [0, 1] by the study's metric. */
  score: number;
  /** Further validation metrics, e.g. macro_f1. */
  metrics: Record<string, number>;
  /** Training time so far, resumed parts included. */
  seconds: number;
}

/** How long a trial may still take, in seconds. */
export interface TimeLeft {
  /** Of the whole study. */
  studySeconds: number;
  /** Of the trial's own share. It may take more where it could not train half of its epochs otherwise. */
  shareSeconds: number;
}

export interface TrainingHooks {
  /** The checkpoint of an earlier attempt, from which training continues without a difference. */
  resume?: ParamSet;
  /** Asked once before the first step, not after a resume: first weights by name; those left out start at random. */
  warmStart?(wanted: readonly RequestedTensor[]): Promise<Record<string, TensorData>>;
  /** Where its epochs would take longer, fewer are planned: the learning rate comes down to zero in time. Asked after each epoch. */
  timeLeft?(): TimeLeft;
  /**
   * Whether to end with the best epoch so far instead of training until the next report; called between runs of the
   * engine.
   */
  stopNow?(): boolean;
  /**
   * 'stop' ends training after this report; the best epoch's weights are kept. `weights()` copies the weights for
   * publishing.
   */
  onReport(report: TrainingReport, weights: () => PublishedWeights): Promise<'continue' | 'stop'>;
  /** Called at chunk ends; `take()` copies the state out, so call it only when the checkpoint is wanted. */
  onCheckpoint(take: () => ParamSet): Promise<void>;
}

/** The data that serving needs: one ONNX file with the weights, and the fitted features. */
export interface TrainedModel {
  onnx: Uint8Array;
  features: FittedFeatures;
}

/** Fitted feature state: an encoder's name, its state, and the label codec. Plain data, safe to store. */
export interface FittedFeatures {
  encoder: string;
  state: Record<string, unknown>;
  classes: string[];
}

export interface TrainingResult {
  state: 'completed' | 'stopped';
  /** Of the best epoch, whose weights the model has. */
  score: number;
  metrics: Record<string, number>;
  epochs: number;
  seconds: number;
  model: TrainedModel;
  /** The vote of each validation row in an ensemble, in order: class indexes; empty where members do not vote. */
  predictions: Uint16Array;
  /** The same weights in other precisions, where those answer much quicker. */
  variants: TrainedVariant[];
}

/** A faster variant of a trained model, with its score on the validation rows. */
export interface TrainedVariant {
  precision: Exclude<Precision, 'float32'>;
  score: number;
  /** How many times quicker it answers, on the machine that trained it. */
  gain: number;
  model: TrainedModel;
  predictions: Uint16Array;
}
