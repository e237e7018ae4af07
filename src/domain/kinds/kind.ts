import type { Metric } from '../metrics.ts';
import type { ImageSize, Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import type { NamedBox } from './boxes.ts';

/** What a row is labelled with in its source: its class, or the objects in it. */
export type NamedLabel = string | readonly NamedBox[];

/**
 * What the tasks of one kind share: how labels are read and become targets, how an exported model's answers are judged, and what is
 * answered. A new one is one file and one line in the registry.
 */
export interface TaskKind {
  /** Reads a label as a source of images gives it, and checks it: what must fit the image, when its size is known. Throws `BadData`. */
  readLabel(text: Buffer): (size: ImageSize) => NamedLabel;
  /** Whether a parsed value is a label as `readLabel` gave it. */
  isLabel(value: unknown): value is NamedLabel;
  /** One for a class, several or none for objects. */
  classesOf(label: NamedLabel): readonly string[];
  /** With fewer there is nothing to learn, for the reason given. */
  minClasses: { count: number; reason: string };
  /** The labels of a data set, whose classes have the indexes given. */
  indexed(labels: readonly NamedLabel[], indexOf: (name: string) => number): Labels;
  /** The network's targets of a step, for the rows named; their encoded inputs say how images were fitted. */
  targets(labels: Labels, rows: Int32Array, encoding: TargetEncoding): Record<string, TensorData>;
  /** Judges the answers [rows, …] to all rows of `labels`. */
  score(answers: TensorData, labels: Labels, by: Judging): Scores;
  /** Judges the answers of an ensemble, best member first; the members may know other classes than the data. */
  scoreEnsemble(members: readonly MemberAnswers[], labels: Labels, by: Judging): number;
  /** Whether members of an ensemble vote, row by row, and a vote has a score by the metric; otherwise the best member answers alone. */
  votes(metric?: Metric): boolean;
  /** The vote of each row; empty where members do not vote. */
  ballots(answers: TensorData): Uint16Array;
  /** What the votes are compared with, the class of each row; empty where members do not vote. */
  truth(labels: Labels): Uint16Array;
  /** Says what a deployed version answers; `classes` are its own. */
  answers(classes: readonly string[]): AnswerMaker;
}

/** What an ensemble says of row `row` of the `rows` rows that the members answered; `outputs` are the numbers of each member, best first. */
export interface AnswerMaker {
  /** What `rafiki_predict` gives, as text. */
  answer(outputs: readonly Float32Array[], row: number, rows: number): string;
  /** What `rafiki_predict_detail` shows of it. */
  finding(outputs: readonly Float32Array[], row: number, rows: number): Finding;
}

/** JSON. */
export type Finding = Readonly<Record<string, unknown>>;

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
  /** In [0, 1], larger is better: what trials are compared by. */
  score: number;
  /** Further figures by name. */
  metrics: Record<string, number>;
}

export interface MemberAnswers {
  answers: TensorData;
  classes: readonly string[];
}

/** The numbers of answers, which are float32 in every exported model. */
export function floats({ data }: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new RangeError('answers of an exported model are float32');
}

/** As details show it. */
export const rounded = (value: number, digits = 4): number => Number(value.toFixed(digits));
