import type { Knobs } from '../domain/hyper-space.ts';
import type { Metric } from '../domain/metrics.ts';
import type { Task } from '../domain/task.ts';
import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { TimeLeft, TrainedModel, TrainingReport, TrainingResult } from '../domain/training.ts';
import type { StartWeights, WantedTensor } from '../domain/warm-start.ts';
import type { Computing } from '../engine/computing.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** What a training process is told: everything that it needs, since it knows no database. */
export interface Assignment {
  kind: 'assignment';
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  threads: number;
  computing: Pick<Computing, 'device' | 'engine'>;
  logLevel: string;
  dataFile: string;
  validation: number;
  metric: Metric;
  /** Whether all classes weigh the same in training. */
  balanced: boolean;
  /** How long the trial may take. */
  time: TimeLeft;
  /** Knobs that are not to be changed where time is short. */
  chosenKnobs: readonly string[];
  /** Least time between two checkpoints. */
  checkpointEveryMs: number;
  resume?: ParamSet;
  /** Whether the trial may start from the weights of others, and publish its own. */
  collaborative: boolean;
  /** The deployed model, to be scored on the same validation rows. */
  incumbent?: Incumbent;
}

export interface Incumbent {
  /** Best first. */
  members: TrainedModel[];
  /** The inputs that it was trained on (see `trainedInputs`), where that was kept. */
  trained: BigInt64Array | undefined;
}

export type ToChild =
  | Assignment
  /** To a report: whether to go on, and whether to publish the weights. */
  | { kind: 'answer'; answer: 'continue' | 'stop'; put: boolean }
  /** First weights, as asked for. */
  | { kind: 'start'; tensors: Record<string, TensorData> }
  /** Send a checkpoint at the next chance, however young the last one is. */
  | { kind: 'checkpoint' }
  /** End with the best epoch, at the next chance; where there is none yet, with the first. */
  | { kind: 'stop' }
  /** The last checkpoint is stored; the next one may come. */
  | { kind: 'stored' };

/** The validation rows as they are stored: see the table rafiki.validation. */
export interface Validated {
  hash: Uint8Array;
  classes: string[];
  labels: Uint16Array;
  /** The inputs that were trained on: see `trainedInputs`. */
  trained: BigInt64Array;
}

export type FromChild =
  /** It runs. */
  | { kind: 'began' }
  | { kind: 'incumbent'; score: number; trained: number | null }
  /** Smaller knobs than those asked for, as time is short. */
  | { kind: 'knobs'; knobs: Knobs }
  /** What can I start from? `basis` names the rows: weights learnt from others must not be given. */
  | { kind: 'start'; wanted: readonly WantedTensor[]; basis: Uint8Array }
  | { kind: 'report'; report: TrainingReport }
  /** The weights of the last report, to be published. */
  | { kind: 'publish'; weights: StartWeights; score: number; basis: Uint8Array }
  | { kind: 'checkpoint'; params: ParamSet }
  | { kind: 'finished'; result: TrainingResult; validated: Validated }
  | { kind: 'failed'; error: ErrorReport };
