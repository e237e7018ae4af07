import { accuracy, argmax, macroF1 } from '../metrics.ts';
import type { Labels } from '../task.ts';
import type { TensorData } from '../tensor.ts';
import { majorityVote } from '../vote.ts';
import { floats, type TaskKind } from './kind.ts';

/** The name of a classifier's target: a distribution over the classes for each row, [N, classes]. */
const classTarget = 'truth';

/** Stands for a class that the data does not have: no label's index. */
const unknownClass = 0xffff;

/** One class for each row: answers are probabilities [N, classes], the score is the share of rows answered right. */
export const classification: TaskKind = {
  targets(labels, rows, { shapes, smoothing }) {
    const classes = Number(shapes[classTarget]?.shape[0]);
    return { [classTarget]: distributions(classLabels(labels), rows, { classes, smoothing }) };
  },

  score(answers, labels, classes) {
    const [predicted, actual] = [classesOf(answers), classLabels(labels)];
    return {
      score: accuracy(predicted, actual),
      metrics: { macro_f1: macroF1(predicted, actual, classes.length) },
    };
  },

  /** Majority vote; classes that the data does not have count as wrong. */
  scoreEnsemble(members, labels, classes) {
    const actual = classLabels(labels);
    const votes = members.map(({ answers, classes: own }) => {
      const place = own.map((label) => (classes.includes(label) ? classes.indexOf(label) : unknownClass));
      return classesOf(answers).map((index) => place[index] as number);
    });
    return accuracy(
      actual.map((_, row) => majorityVote(votes.map((vote) => vote[row] as number))),
      actual,
    );
  },

  votes: true,
  ballots: classesOf,
  truth: (labels) => Uint16Array.from(classLabels(labels)),
};

/** The likeliest class of each row. */
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

function classLabels(labels: Labels): Int32Array {
  if (labels instanceof Int32Array) return labels;
  throw new RangeError('a classifier is trained on class indexes');
}
