import type { Knobs } from '../domain/hyper-space.ts';
import type { Task } from '../domain/task.ts';
import type { ParamSet } from '../domain/tensor.ts';
import type { TrainedModel, TrainingReport, TrainingResult } from '../domain/training.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** What a training process is told: everything that it needs, since it knows no database. */
export interface Assignment {
  kind: 'assignment';
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  threads: number;
  dataFile: string;
  validation: number;
  /** Least time between two checkpoints. */
  checkpointEveryMs: number;
  resume?: ParamSet;
  /** The members of the deployed model, best first, to be scored on the same validation rows. */
  incumbent?: TrainedModel[];
}

export type ToChild =
  | Assignment
  | { kind: 'answer'; answer: 'continue' | 'stop' }
  /** Send a checkpoint at the next chance, however young the last one is. */
  | { kind: 'checkpoint' }
  /** The last checkpoint is stored; the next one may come. */
  | { kind: 'stored' };

/** The validation rows as they are stored: see the table rafiki.validation. */
export interface Validated {
  hash: Uint8Array;
  classes: string[];
  labels: Uint16Array;
}

export type FromChild =
  | { kind: 'incumbent'; score: number }
  | { kind: 'report'; report: TrainingReport }
  | { kind: 'checkpoint'; params: ParamSet }
  | { kind: 'finished'; result: TrainingResult; validated: Validated }
  | { kind: 'failed'; error: ErrorReport };
