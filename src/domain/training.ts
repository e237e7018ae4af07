import type { Knobs } from './hyper-space.ts';
import type { GrowingTeam, Team } from './joint-training.ts';
import type { Ballots, TargetUnit } from './kinds/kind.ts';
import type { Metric } from './metrics.ts';
import type { Precision } from './precision.ts';
import type { InputColumn } from './table.ts';
import type { DataSet, Examples, Task } from './task.ts';
import type { ParamSet, TensorData } from './tensor.ts';
import type { PublishedWeights, RequestedTensor } from './warm-start.ts';

/** Everything that determines a trial's result; equal specs give equal results, unless a team or a time limit changes the rounds or the epochs. */
export interface TrainingSpec {
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  /** Seed of dropout and of the like; default: `seed`. Workers that train one trial together have different ones. */
  noiseSeed?: number;
  /** ONNX Runtime threads of this trial. */
  threads: number;
  data: DataSet;
  /** The rows that features are fitted to; default: the training rows. */
  fitTo?: Examples;
  /** The metric for comparing epochs; default: the task's. */
  metric?: Metric;
  /** Whether all classes weigh the same in training, however many rows they have. */
  balanced?: boolean;
  /** What families on a pretrained encoder get. */
  pretrained?: PretrainedParts;
  /** What the command of a family gets. */
  command?: CommandLimits;
}

/** The limits of a family that is a command. */
export interface CommandLimits {
  /** A private folder for its files. */
  folder: string;
  /** What is left of the study. */
  seconds: number;
  /** How long an epoch may take. */
  epochSeconds: number;
}

/** A pretrained encoder of a study, and where what it computes is kept. */
export interface PretrainedParts extends PretrainedEncoder {
  file: ModelFile;
  /** A folder for features of rows, by content. */
  cacheDir: string;
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

/** How long a trial may still take, in seconds, and how many epochs it may have, as multiples of the recipe's. */
export interface TimeLeft {
  /** Of the whole study. */
  studySeconds: number;
  /** Of the trial's own share, which it may exceed to train its minimum of epochs. */
  shareSeconds: number;
  minEpochs: number;
  maxEpochs: number;
}

/** The time and the workers of a study. */
export interface StudyTime {
  studySeconds: number;
  /** Running workers. */
  workers: number;
}

/** What several workers train together, compared with what each would train alone. */
const JOINT_EFFICIENCY = 0.85;

/** How many trials of `fullSeconds`, on one worker, all workers can train to their end in the time of the study; at least 0. */
export const affordableTrials = ({ studySeconds, workers }: StudyTime, fullSeconds: number): number =>
  fullSeconds <= 0
    ? Number.POSITIVE_INFINITY
    : (Math.max(0, studySeconds) * workers * (workers > 1 ? JOINT_EFFICIENCY : 1)) / fullSeconds;

export interface TrainingHooks {
  /** The checkpoint of an earlier attempt, from which training continues without a difference. */
  resume?: ParamSet;
  /** Initial weights by name, others are random; called once before the first step, not after a resume. */
  warmStart?(requested: readonly RequestedTensor[]): Promise<Record<string, TensorData>>;
  /** Other workers that train this trial, too; the trial is trained alone if absent. The second is for families that are no networks. */
  team?: Team;
  growing?: GrowingTeam;
  /** As many epochs are planned as fit into it, so that the learning rate falls to zero in time. Called after each epoch. */
  timeLeft?(): TimeLeft;
  /** Seconds of an epoch as measured before training; without it the recipe's epochs are planned at first. */
  epochSeconds?: number;
  /** Whether the last epoch is the result, whatever the scores: the validation rows are trained on. */
  keepsLast?: boolean;
  /**
   * Whether to end with the best epoch so far instead of training until the next report; called between runs of the
   * engine.
   */
  stopNow?(): boolean;
  /**
   * 'stop' ends training after this report; the best epoch's weights are kept. `weights()` copies the weights for
   * publishing; other trials cannot start from those of a family without it.
   */
  onReport(report: TrainingReport, weights?: () => PublishedWeights): Promise<'continue' | 'stop'>;
  /** Called at chunk ends; `take()` copies the state out, so call it only if a checkpoint is due. */
  onCheckpoint(take: () => ParamSet): Promise<void>;
}

/** The data that serving needs: one ONNX file with the weights, and the fitted features. */
export interface TrainedModel {
  onnx: Uint8Array;
  features: FittedFeatures;
  /** Absent for texts and images, which need none. */
  explaining?: ExplanationData;
}

/** What explanations of a model's answers need in addition to its file, by the way in which they are found. */
export type ExplanationData =
  /** The trees, see `packForest`. */
  | { kind: 'forest'; tensors: Readonly<Record<string, TensorData>> }
  /** A weighted sum of the numbers of an encoded row: weights [numbers, scores], biases [scores], and means [numbers] of training rows. */
  | { kind: 'sum'; tensors: Readonly<Record<'weights' | 'biases' | 'means', TensorData>> }
  /** Some training rows. */
  | { kind: 'rows'; columns: readonly KeptColumn[] };

/** The values of a column in the kept rows: numbers, NaN for null; or texts. Plain data, safe to store. */
export interface KeptColumn extends InputColumn {
  values: readonly (number | string | null)[];
}

/** A trained model, or a pretrained encoder, on the local disk; its name is the hash of its bytes. */
export interface ModelFile {
  dir: string;
  name: string;
  /** Without what only explanations need. */
  bytes: number;
}

/** A pretrained encoder that a study has. */
export interface KnownEncoder {
  name: string;
  /** Whether its own weights can be trained further. */
  trainable: boolean;
}

/** The stored encoder that a model's inputs go through. */
export interface PretrainedEncoder {
  name: string;
  /** Of the set of parameters that it is. */
  paramsId: number;
}

/** Fitted feature state: an encoder's name, its state, and the label codec. Plain data, safe to store. */
export interface FittedFeatures {
  encoder: string;
  state: Record<string, unknown>;
  classes: string[];
  /** With which numbers that are learnt are standardised; the classes are then none. */
  target?: TargetUnit;
  /** Set if a pretrained encoder computes the model's inputs. */
  pretrained?: PretrainedEncoder;
}

export interface TrainingResult {
  state: 'completed' | 'stopped';
  /** Of the best epoch, whose weights the model has. */
  score: number;
  metrics: Record<string, number>;
  epochs: number;
  seconds: number;
  model: TrainedModel;
  /** What the trial says of each validation row, in order. */
  predictions: Ballots;
  /** What is kept of its answers to fit weights of ensembles: see `TaskKind.kept`. */
  kept: Float32Array;
  /** The same weights in other precisions, if those answer much faster. */
  variants: TrainedVariant[];
}

/** A faster variant of a trained model, with its score on the validation rows. */
export interface TrainedVariant {
  precision: Exclude<Precision, 'float32'>;
  score: number;
  /** Speed of its answers relative to the trained model, on the machine that trained it. */
  gain: number;
  model: TrainedModel;
  predictions: Ballots;
  kept: Float32Array;
}
