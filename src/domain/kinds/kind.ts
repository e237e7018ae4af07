import type { Panel } from '../ensembles/panel.ts';
import type { EnsembleRule, MemberWeight } from '../ensembles/rule.ts';
import type { Metric } from '../metrics.ts';
import type { ImageSize, Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import type { NamedBox } from './boxes.ts';

/** What a row is labelled with in its source: its class, its number, or the objects in it. */
export type NamedLabel = string | number | readonly NamedBox[];

/**
 * What the tasks of one kind share: how labels are read and become targets, how an exported model's answers are scored, and the
 * format of answers. A new one is one file and one line in the registry.
 */
export interface TaskKind {
  /** Reads and checks a label; the returned function checks it against the size of its image, if it is about one. Throws `BadData`. */
  readLabel(text: Buffer): (size: ImageSize) => NamedLabel;
  /** Whether a parsed value is a label as returned by `readLabel`. */
  isLabel(value: unknown): value is NamedLabel;
  /** One class for a class label, any number for objects, none for numbers. */
  classesOf(label: NamedLabel): readonly string[];
  /** Minimum number of classes, and the error message for fewer. */
  minClasses: { count: number; reason: string };
  /** The labels of a data set, with classes replaced by their indexes. */
  indexed(labels: readonly NamedLabel[], indexOf: (name: string) => number): Labels;
  /** The network's targets of a step for these rows; their encoded inputs have the frames of the images. */
  targets(labels: Labels, rows: Int32Array, encoding: TargetEncoding): Record<string, TensorData>;
  /** Scores the answers [rows, …] for all rows of `labels`. */
  score(answers: TensorData, labels: Labels, options: ScoringOptions): Scores;
  /** By which the epochs of a trial are compared, larger is better. */
  rank(scores: Scores): number;
  /** Scores the answers of an ensemble, best member first; members may have other classes than the data. */
  scoreEnsemble(members: readonly MemberAnswers[], labels: Labels, options: EnsembleScoring): number;
  /** Whether members can vote, row by row, and that has a score by the metric; otherwise the best member answers in place of a vote. */
  votes(metric?: Metric): boolean;
  /** What a member says of each row; empty if members do not decide together. */
  ballots(answers: TensorData): Ballots;
  /** What is true of each row, with which ballots are compared; empty if members do not decide together. */
  truth(labels: Labels): Ballots;
  /** Ballots from their bytes, little endian and aligned. */
  readBallots(bytes: ArrayBuffer): Ballots;
  /** Scores what some members decide together, best member first. */
  scoreBallots(members: readonly MemberBallots[], truth: Ballots, options: BallotScoring): number;
  /**
   * What is kept of a member's answers to fit weights, besides its ballots, 2 MB at most. Empty if ballots say all.
   */
  kept(answers: TensorData): Float32Array;
  /** The panel of these candidates; undefined if not enough was kept of one. */
  panel(candidates: readonly KeptMember[], truth: Ballots, options: BallotScoring): Panel | undefined;
  /** Makes the answers of a deployed version with these classes, whose members decide by the rule. */
  answers(classes: readonly string[], rule: EnsembleRule): AnswerMaker;
}

/** The label of a row that is no image, from its text. Throws BadData. */
export const labelOf = (kind: TaskKind, text: string): NamedLabel => kind.readLabel(Buffer.from(text))(noImage);
const noImage: ImageSize = { width: 0, height: 0 };

/** For each validation row the class that a member votes for, as its index; or the number that it answers. */
export type Ballots = Uint16Array | Float32Array;

/** A member's ballots, and its score on the same rows. */
export interface MemberBallots {
  ballots: Ballots;
  score: number;
}

/** A candidate for an ensemble: its ballots, and what else was kept of its answers on the validation rows. */
export interface KeptMember {
  ballots: Ballots;
  kept: Float32Array;
}

/** What the members that were asked answered for a batch, best first. */
export interface AnsweredBatch {
  outputs: readonly Float32Array[];
  members: readonly MemberWeight[];
  rows: number;
}

/** Makes the answer of an ensemble for a row of a batch. */
export interface AnswerMaker {
  /** The answer of `rafiki_predict`, as text. */
  answer(batch: AnsweredBatch, row: number): string;
  /** The details of `rafiki_predict_detail`. */
  finding(batch: AnsweredBatch, row: number): Finding;
}

/** With which numbers that are learnt are standardised: the mean and the standard deviation of the training rows. */
export interface TargetUnit {
  mean: number;
  scale: number;
}

/** JSON. */
export type Finding = Readonly<Record<string, unknown>>;

interface TargetEncoding {
  /** Shapes of the network's targets without the batch, by name. */
  shapes: Readonly<Record<string, { readonly shape: readonly (number | string)[] }>>;
  inputs: Readonly<Record<string, TensorData>>;
  /** Of numbers that are learnt: see `FittedFeatures`. */
  target?: TargetUnit | undefined;
  /** Share of a class target that is spread evenly over the classes. */
  smoothing: number;
}

interface ScoringOptions {
  /** The classes of the data, which its labels index. */
  classes: readonly string[];
  /** The task's default if not given. */
  metric?: Metric | undefined;
}

interface EnsembleScoring extends ScoringOptions {
  rule: EnsembleRule;
}

interface BallotScoring {
  /** Number of classes. */
  classes: number;
  /** The task's default if not given. */
  metric?: Metric | undefined;
}

interface Scores {
  /** In [0, 1], larger is better; trials are compared by it. */
  score: number;
  /** Further figures by name. */
  metrics: Record<string, number>;
}

export interface MemberAnswers extends MemberWeight {
  answers: TensorData;
  classes: readonly string[];
}

/** The numbers of answers, which are float32 in every exported model. */
export function floats({ data }: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new RangeError('answers of an exported model are float32');
}

/** Rounded for details. */
export const rounded = (value: number, digits = 4): number => Number(value.toFixed(digits));
