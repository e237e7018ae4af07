import type { Shard } from '../datasets/shard.ts';
import type { EnsembleRule, MemberWeight } from '../domain/ensembles/rule.ts';
import type { Knobs } from '../domain/hyper-space.ts';
import type {
  JoinedRound,
  Offer,
  Round,
  RoundPace,
  SentChange,
  SentSums,
  ShareSums,
  WaitingWorker,
  WantedChanges,
  WeightChange,
} from '../domain/joint-training.ts';
import type { Ballots } from '../domain/kinds/kind.ts';
import type { Metric } from '../domain/metrics.ts';
import type { Task } from '../domain/task.ts';
import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { ModelFile, PretrainedParts, TrainedModel, TrainingReport, TrainingResult } from '../domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../domain/warm-start.ts';
import type { Computing } from '../engine/computing.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';
import type { FamilySource } from '../families/sources.ts';
import type { FittedTrial } from './fit-to-time.ts';
import type { ShownRound } from './joint/team.ts';
import type { Refit } from './refit.ts';
import type { GivenTime, TrialTime } from './trial-time.ts';

/** What a training process needs of a trial; it has no database connection. */
export interface TrialInput {
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  threads: number;
  computing: Pick<Computing, 'device' | 'engine'>;
  logLevel: string;
  dataFile: string;
  /** Of its rows, that this worker holds. */
  shard: Shard;
  validation: number;
  metric: Metric;
  /** Whether training weights all classes equally. */
  balanced: boolean;
  /** The pretrained encoder, for a family that stands on one. */
  pretrained?: PretrainedParts;
  /** Where the family may come from, if it is none of Rafiki itself. */
  sources: readonly FamilySource[];
}

/** Train a trial. */
export interface Assignment extends TrialInput {
  kind: 'assignment';
  /** Threads if the study has no other trial meanwhile. */
  machineThreads: number;
  time: GivenTime;
  /** Knobs that must not be changed if time is short. */
  chosenKnobs: readonly string[];
  /** Time until the first checkpoint, and between two later ones; between the first ones it doubles. More where storing one takes long. */
  checkpointMs: { first: number; later: number };
  /** Of the files that it exchanges with other workers of this machine, or with the command of its family. */
  folder: string;
  /** The last round of earlier workers that led the attempt; 0: there was none. */
  lastRound: number;
  resume?: ParamSet;
  /** How long the whole trial takes on one worker, if an earlier attempt has measured it. */
  fullSeconds: number | null;
  /** Whether the trial may start from published weights. */
  warmStart: boolean;
  /** The deployed model, to be scored on the same validation rows. */
  incumbent?: Incumbent;
  /** Set if a chosen network is trained again on all rows. */
  refit?: Refit;
}

/** Train shares of a trial that another worker leads. */
export interface JoinAssignment extends TrialInput {
  kind: 'join';
  /** Different for each worker of the trial. */
  noiseSeed: number;
  processId: number;
  /** Of the files of the trial's workers on this machine; null: another machine leads. */
  folder: string | null;
}

export interface Incumbent {
  rule: EnsembleRule;
  /** Best first, each with the pretrained encoder that it stands on. */
  members: (MemberWeight & { model: TrainedModel; encoder?: ModelFile })[];
  /** Where vectors of its encoders are kept. */
  cacheDir: string;
  /** The inputs that it was trained on (see `trainedInputs`), if stored. */
  trained: BigInt64Array | undefined;
}

export type ToChild =
  | Assignment
  | JoinAssignment
  /** The decision on a report: whether to stop, and whether to publish the weights. */
  | { kind: 'decision'; stop: boolean; publish: boolean }
  /** The requested initial weights. */
  | { kind: 'warm-start'; tensors: Record<string, TensorData> }
  /** Send a checkpoint as soon as possible, regardless of the last one's age. */
  | { kind: 'checkpoint' }
  /** End with the best epoch as soon as possible; before the first epoch has ended, after it. */
  | { kind: 'stop' }
  /** The last checkpoint is stored; the next one may be sent. */
  | { kind: 'stored' }
  /** To a leading process: the workers of other machines that wait for a round. */
  | { kind: 'team'; waiting: readonly WaitingWorker[] }
  /** The round is stored: it now trains its own share. */
  | { kind: 'begun' }
  /** What the workers of other machines learnt in the round. */
  | { kind: 'changes'; changes: readonly (SentChange | SentSums)[] }
  /** To a process that has joined a trial of another machine: its next round; null if there is none any more. */
  | { kind: 'round'; next: JoinedRound | null };

/** The validation rows in the format of the table rafiki.validation. */
export interface Validated {
  hash: Uint8Array;
  classes: string[];
  labels: Ballots;
  /** The training inputs: see `trainedInputs`. */
  trained: BigInt64Array;
}

export type FromChild =
  /** The process has started. */
  | { kind: 'began' }
  /** With the hash of the validation rows. */
  | { kind: 'incumbent'; score: number; trained: number | null; hash: Uint8Array }
  /** Before training: the knobs, reduced if time is short, and how long the trial takes on one worker. */
  | ({ kind: 'fitted' } & FittedTrial & Pick<TrialTime, 'rung' | 'rungSize' | 'plannedSeconds'>)
  /** Requests initial weights. `basis` identifies the rows: weights from other rows must not be used. */
  | { kind: 'warm-start'; requested: readonly RequestedTensor[]; basis: Uint8Array }
  | { kind: 'report'; report: TrainingReport }
  /** Weights to publish, of the last report. */
  | { kind: 'publish'; weights: PublishedWeights; score: number; basis: Uint8Array }
  | { kind: 'checkpoint'; params: ParamSet }
  /** Of a leading process: a round that workers of other machines take part in, and a request for what they learn. */
  | { kind: 'begin-round'; offer: Offer; last: RoundPace | null }
  | { kind: 'collect'; wanted: WantedChanges }
  /** A round of workers of this machine alone, some seconds after the last one that was shown. */
  | { kind: 'show-round'; shown: ShownRound }
  /** Of a process that has joined a trial of another machine: it waits for a round; and what it learnt in one. */
  | { kind: 'next-round' }
  | { kind: 'change'; round: Round; change: WeightChange | ShareSums }
  /** Of one that has joined a trial of this machine: it has trained its share of a round. */
  | { kind: 'trained'; round: number; rowsPerSecond: number }
  /** There is no further round. */
  | { kind: 'left' }
  | { kind: 'finished'; result: TrainingResult; validated: Validated }
  /** A network that was trained again; `trained`: all inputs, see `trainedInputs`. */
  | { kind: 'refitted'; result: TrainingResult; trained: BigInt64Array }
  /** `ofMachine`: the disk or a library of this machine is at fault, so that another worker may succeed. */
  | { kind: 'failed'; error: ErrorReport; ofMachine: boolean }
  /** What trains the trial outside of this process was killed: another attempt may succeed. */
  | { kind: 'crashed'; cause: string };
