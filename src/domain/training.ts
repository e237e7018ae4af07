import type { Knobs } from './hyper-space.ts';
import type { DataSet, Task } from './task.ts';
import type { ParamSet } from './tensor.ts';

/** Everything that decides a trial's result; equal specs give equal results. */
export interface TrainingSpec {
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  /** ONNX Runtime threads of this trial. */
  threads: number;
  data: DataSet;
}

/** One measured score of a running trial, at the end of an epoch. */
export interface TrainingReport {
  /** 1-based epochs done, of `epochs` planned. */
  epoch: number;
  epochs: number;
  step: number;
  /** Mean training loss of the epoch. */
  loss: number;
  /** Validation accuracy in [0, 1]. */
  score: number;
  /** Further validation metrics, e.g. macro_f1. */
  metrics: Record<string, number>;
  /** Training time so far, resumed parts included. */
  seconds: number;
}

export interface TrainingHooks {
  /** Where an earlier attempt stopped; training goes on from there as if never interrupted. */
  resume?: ParamSet;
  /** The answer 'stop' ends training after this report; the best epoch's weights are kept. */
  onReport(report: TrainingReport): Promise<'continue' | 'stop'>;
  /** Called at chunk ends; `take()` copies the state out, so call it only when the checkpoint is wanted. */
  onCheckpoint(take: () => ParamSet): Promise<void>;
}

/** What serving needs to answer: one ONNX file with the weights inside, and the fitted features as data. */
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
  /** Class index predicted for each validation row, in order. */
  predictions: Uint16Array;
}
