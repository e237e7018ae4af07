import { InvalidState } from '../../errors/errors.ts';
import { checkLabel, labelTooLong, MAX_LABEL_CHARS } from '../class-limits.ts';
import { keepProbabilities } from '../ensembles/kept-answers.ts';
import type { EnsembleRule, MemberWeight } from '../ensembles/rule.ts';
import { accuracy, areaUnderCurve, argmax, logLoss, type Metric, type MetricOf, macroF1 } from '../metrics.ts';
import type { Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import { majorityVote, majorityVotes } from '../vote.ts';
import { ClassPanel, type ScoredClasses } from './class-panel.ts';
import {
  type AnsweredBatch,
  type AnswerMaker,
  type Ballots,
  floats,
  type NamedLabel,
  rounded,
  type TaskKind,
} from './kind.ts';
import { addWeighted, translated, weightedProbabilities } from './weighted-classes.ts';

/** The name of a classifier's target: a distribution over the classes for each row, [N, classes]. */
const classTarget = 'truth';

/** The index of classes that the data does not have, different from all labels. */
const unknownClass = 0xffff;

/**
 * One class per row: outputs are probabilities [N, classes]. The metrics accuracy and macro_f1 use the most probable class
 * only.
 */
export const classification: TaskKind = {
  readLabel(text) {
    if (text.length > 4 * MAX_LABEL_CHARS) throw labelTooLong();
    const label = text.toString('utf8');
    checkLabel(label);
    return () => label;
  },

  isLabel: (value) => typeof value === 'string',
  classesOf: (label) => [className(label)],
  minClasses: { count: 2, reason: 'there is nothing to tell apart: the rows have fewer than two labels' },
  indexed: (labels, indexOf) => Int32Array.from(labels, (label) => indexOf(className(label))),

  targets(labels, rows, { shapes, smoothing }) {
    const classes = Number(shapes[classTarget]?.shape[0]);
    return { [classTarget]: distributions(classLabels(labels), rows, { classes, smoothing }) };
  },

  score(answers, labels, { classes, metric = 'accuracy' }) {
    const [predicted, actual] = [classesOf(answers), classLabels(labels)];
    const macro_f1 = macroF1(predicted, actual, classes.length);
    if (isOfClasses(metric))
      return { score: ofClasses[metric]({ predicted, actual, classes: classes.length }), metrics: { macro_f1 } };
    return { score: scoreOfProbabilities(metric, floats(answers), actual), metrics: { macro_f1 } };
  },

  rank: ({ score }) => score,

  /** Classes that the data does not have count as wrong. Where a vote has no score, the best member answers alone. */
  scoreEnsemble(members, labels, { classes, metric = 'accuracy', rule }) {
    const actual = classLabels(labels);
    const isVote = rule === 'vote' && isOfClasses(metric);
    const { classes: known, all } = weightedProbabilities(
      isVote ? [] : rule === 'weighted' ? members : members.slice(0, 1),
    );
    if (!isOfClasses(metric)) return scoreOfProbabilities(metric, translated(all, known, classes), actual);
    const given = isVote ? members : [{ answers: tensorOf(all, known.length), classes: known }];
    const votes = given.map(({ answers, classes: own }) => {
      const place = own.map((label) => (classes.includes(label) ? classes.indexOf(label) : unknownClass));
      return classesOf(answers).map((index) => place[index] ?? unknownClass);
    });
    const predicted = majorityVotes(votes, actual.length);
    return ofClasses[metric]({ predicted, actual, classes: classes.length });
  },

  votes: (metric = 'accuracy') => isOfClasses(metric),
  ballots: classesOf,
  truth: (labels) => Uint16Array.from(classLabels(labels)),
  readBallots: (bytes) => new Uint16Array(bytes),

  scoreBallots(members, truth, { classes, metric = 'accuracy' }) {
    const votes = members.map(({ ballots }) => classIndexes(ballots));
    const predicted = majorityVotes(votes, truth.length);
    return ofClasses[isOfClasses(metric) ? metric : 'accuracy']({ predicted, actual: truth, classes });
  },

  kept: (answers) => keepProbabilities(floats(answers), answers.shape[1] ?? 1),

  panel(members, truth, { classes, metric }) {
    if (members.some(({ kept }) => kept.length === 0)) return undefined;
    const kept = members.map((member) => member.kept);
    const needsProbabilities = (by: Metric = 'accuracy'): boolean => !isOfClasses(by);
    const scoreOf = ({ predicted, actual, probabilities }: ScoredClasses, by: Metric = 'accuracy'): number =>
      isOfClasses(by)
        ? ofClasses[by]({ predicted, actual, classes })
        : scoreOfProbabilities(by, probabilities ?? new Float32Array(0), actual);
    return new ClassPanel(kept, classIndexes(truth), { classes, needsProbabilities, scoreOf, metric });
  },

  answers: answersOf,
};

/** Of probabilities [rows, classes] for each member. */
function answersOf(names: readonly string[], rule: EnsembleRule): AnswerMaker {
  const classes = names.length;
  /** Throws if the outputs do not match the classes: they are of another model. */
  const nameOf = (label: number): string => {
    const name = names[label];
    if (name === undefined) throw new InvalidState('a model gave something else than probabilities of its classes');
    return name;
  };
  const sums = new Float64Array(classes);
  /** Valid until it is called again. */
  const probabilitiesOf = ({ outputs, members }: AnsweredBatch, row: number): Float64Array => {
    sums.fill(0);
    addWeighted(sums, { outputs, members: rule === 'vote' ? members.map(equal) : members, row });
    return sums;
  };
  const mostProbable = (output: Float32Array, row: number): number => argmax(output, row * classes, classes);
  const answer: AnswerMaker['answer'] = (batch, row) => {
    const { outputs } = batch;
    const [only] = outputs;
    if (only !== undefined && outputs.length === 1) return nameOf(mostProbable(only, row));
    if (rule === 'vote') return nameOf(majorityVote(outputs.map((output) => mostProbable(output, row))));
    return nameOf(argmax(probabilitiesOf(batch, row), 0, classes));
  };
  return {
    answer,
    /** Probabilities are means over the members, of a vote equally weighted. */
    finding(batch, row) {
      const label = answer(batch, row);
      const means = probabilitiesOf(batch, row);
      return { label, probabilities: Object.fromEntries(names.map((name, c) => [name, rounded(means[c] ?? 0)])) };
    },
  };
}

const equal = (member: MemberWeight): MemberWeight => ({ ...member, weight: 1 });

type ClassMetric = 'accuracy' | 'macro_f1';

/** Class indexes, one for each row. */
interface Classified {
  predicted: ArrayLike<number>;
  actual: ArrayLike<number>;
  /** Number of classes; a prediction outside is wrong. */
  classes: number;
}

/** The metrics of the most probable classes, in [0, 1]. */
const ofClasses: Readonly<Record<ClassMetric, (rows: Classified) => number>> = {
  accuracy: ({ predicted, actual }) => accuracy(predicted, actual),
  macro_f1: ({ predicted, actual, classes }) => macroF1(predicted, actual, classes),
};

/** The metrics of probabilities [rows, classes], in [0, 1]. */
const ofProbabilities: Readonly<
  Record<Exclude<MetricOf<'label'>, ClassMetric>, (probabilities: Float32Array, actual: ArrayLike<number>) => number>
> = {
  likelihood: (probabilities, actual) => Math.exp(-logLoss(probabilities, actual)),
  auc: areaUnderCurve,
};

const isOfClasses = (metric: Metric): metric is ClassMetric => Object.hasOwn(ofClasses, metric);

const isOfProbabilities = (metric: Metric): metric is keyof typeof ofProbabilities =>
  Object.hasOwn(ofProbabilities, metric);

function scoreOfProbabilities(metric: Metric, probabilities: Float32Array, actual: ArrayLike<number>): number {
  if (!isOfProbabilities(metric)) throw new RangeError(`"${metric}" is no metric of classes`);
  return ofProbabilities[metric](probabilities, actual);
}

const tensorOf = (data: Float32Array, classes: number): TensorData => ({
  dtype: 'float32',
  shape: [data.length / Math.max(1, classes), classes],
  data,
});

/** The most probable class of each row. */
function classesOf(answers: TensorData): Uint16Array {
  const classes = answers.shape[1] ?? 1;
  const probabilities = floats(answers);
  return Uint16Array.from({ length: answers.shape[0] ?? 0 }, (_, row) => argmax(probabilities, row * classes, classes));
}

/** [N, classes]: 1 − s on the label and s spread evenly over all classes (Szegedy et al. 2016). */
function distributions(
  labels: Int32Array,
  rows: Int32Array,
  { classes, smoothing }: { classes: number; smoothing: number },
): TensorData {
  const data = new Float32Array(rows.length * classes).fill(smoothing / classes);
  rows.forEach((row, i) => {
    data[i * classes + (labels[row] as number)]! += 1 - smoothing;
  });
  return { dtype: 'float32', shape: [rows.length, classes], data };
}

function classIndexes(ballots: Ballots): Uint16Array {
  if (ballots instanceof Uint16Array) return ballots;
  throw new RangeError('classifiers vote for indexes of classes');
}

function classLabels(labels: Labels): Int32Array {
  if (labels instanceof Int32Array) return labels;
  throw new RangeError('a classifier is trained on class indexes');
}

function className(label: NamedLabel): string {
  if (typeof label === 'string') return label;
  throw new RangeError('a classifier is trained on classes');
}
