import type { Metric } from '../metrics.ts';
import type { Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';

/** The common part of tasks of one kind: how labels become targets, and how outputs of an exported model are scored. */
export interface TaskKind {
  /** The network's targets of a step, for the rows named; their encoded inputs say how images were fitted. */
  targets(labels: Labels, rows: Int32Array, encoding: TargetEncoding): Record<string, TensorData>;
  /** Scores the outputs [rows, …] for all rows of `labels`. */
  score(answers: TensorData, labels: Labels, by: Judging): Scores;
  /** Scores the outputs of an ensemble, best member first; the members may have other classes than the data. */
  scoreEnsemble(members: readonly MemberAnswers[], labels: Labels, by: Judging): number;
  /** Whether members of an ensemble vote, row by row, and a vote has a score by the metric; otherwise the best member answers alone. */
  votes(metric?: Metric): boolean;
  /** The vote of each row; empty where members do not vote. */
  ballots(answers: TensorData): Uint16Array;
  /** The labels for comparison with the votes; empty if members do not vote. */
  truth(labels: Labels): Uint16Array;
}

export interface TargetEncoding {
  /** Shapes of the network's targets without the batch, by name. */
  shapes: Readonly<Record<string, { readonly shape: readonly (number | string)[] }>>;
  inputs: Readonly<Record<string, TensorData>>;
  /** Share of a class target that is spread evenly over the classes. */
  smoothing: number;
}

export interface Judging {
  /** Of the data: what its labels index. */
  classes: readonly string[];
  /** The task's usual one where not given. */
  metric?: Metric | undefined;
}

export interface Scores {
  /** The metric that compares trials, in [0, 1], larger is better. */
  score: number;
  /** Further figures by name. */
  metrics: Record<string, number>;
}

export interface MemberAnswers {
  answers: TensorData;
  classes: readonly string[];
}

/** The values of outputs, which are float32 in every exported model. */
export function floats({ data }: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new RangeError('answers of an exported model are float32');
}
