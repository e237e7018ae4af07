import { InvalidState } from '../../errors/errors.ts';
import { checkLabel, labelTooLong, MAX_LABEL_CHARS } from '../class-limits.ts';
import { accuracy, areaUnderCurve, argmax, logLoss, type Metric, type MetricOf, macroF1 } from '../metrics.ts';
import type { Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import { majorityVote, majorityVotes } from '../vote.ts';
import {
  type AnswerMaker,
  type Ballots,
  floats,
  type MemberAnswers,
  type NamedLabel,
  rounded,
  type TaskKind,
} from './kind.ts';

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

  /** Majority vote, or the best member's probabilities; classes that the data does not have count as wrong. */
  scoreEnsemble(members, labels, { classes, metric = 'accuracy' }) {
    const actual = classLabels(labels);
    if (!isOfClasses(metric)) return scoreOfProbabilities(metric, translated(members, classes), actual);
    const votes = members.map(({ answers, classes: own }) => {
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

  answers: answersOf,
};

/** Of probabilities [rows, classes] for each member. */
function answersOf(names: readonly string[]): AnswerMaker {
  const classes = names.length;
  /** Throws if the outputs do not match the classes: they are of another model. */
  const nameOf = (label: number): string => {
    const name = names[label];
    if (name === undefined) throw new InvalidState('a model gave something else than probabilities of its classes');
    return name;
  };
  const answer: AnswerMaker['answer'] = ({ outputs }, row) =>
    nameOf(majorityVote(outputs.map((output) => argmax(output, row * classes, classes))));
  return {
    answer,
    /** Probabilities are means over the members. */
    finding(batch, row) {
      const { outputs } = batch;
      const means = new Float64Array(classes);
      for (const output of outputs)
        for (let c = 0; c < classes; c++) means[c]! += (output[row * classes + c] as number) / outputs.length;
      const probabilities = Object.fromEntries(names.map((name, c) => [name, rounded(means[c] ?? 0)]));
      return { label: answer(batch, row), probabilities };
    },
  };
}

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
  Record<Exclude<MetricOf<'label'>, ClassMetric>, (probabilities: Float32Array, actual: Int32Array) => number>
> = {
  likelihood: (probabilities, actual) => Math.exp(-logLoss(probabilities, actual)),
  auc: areaUnderCurve,
};

const isOfClasses = (metric: Metric): metric is ClassMetric => Object.hasOwn(ofClasses, metric);

const isOfProbabilities = (metric: Metric): metric is keyof typeof ofProbabilities =>
  Object.hasOwn(ofProbabilities, metric);

function scoreOfProbabilities(metric: Metric, probabilities: Float32Array, actual: Int32Array): number {
  if (!isOfProbabilities(metric)) throw new RangeError(`"${metric}" is no metric of classes`);
  return ofProbabilities[metric](probabilities, actual);
}

/** The best member's probabilities of the data's classes: 0 for classes unknown to it. */
function translated([best]: readonly MemberAnswers[], classes: readonly string[]): Float32Array {
  if (best === undefined) return new Float32Array(0);
  const own = best.classes.length;
  const given = floats(best.answers);
  const probabilities = new Float32Array((given.length / own) * classes.length);
  const places = classes.map((label) => best.classes.indexOf(label));
  for (let row = 0; row < given.length / own; row++)
    places.forEach((place, c) => {
      if (place >= 0) probabilities[row * classes.length + c] = given[row * own + place] as number;
    });
  return probabilities;
}

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
