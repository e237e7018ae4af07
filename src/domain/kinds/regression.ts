import { BadData } from '../../errors/errors.ts';
import { type EnsembleRule, type MemberWeight, unweighted } from '../ensembles/rule.ts';
import { type Metric, type MetricOf, metrics } from '../metrics.ts';
import type { Labels } from '../task.ts';
import { type AnswerMaker, type Ballots, floats, type NamedLabel, type TaskKind } from './kind.ts';
import { meanOf, NumberPanel } from './number-panel.ts';

/** The name of a network's target: a number for each row, standardised, [N, 1]. */
export const numberTarget = 'number';

/** Longer texts are no numbers: a numeric of Postgres may have more digits, but not the numbers that anybody wants to predict. */
export const MAX_NUMBER_CHARS = 400;
/** Largest of single precision, (2 − 2⁻²³) · 2¹²⁷: networks would answer infinity for a larger one. */
export const MAX_NUMBER = (2 - 2 ** -23) * 2 ** 127;
/** As `rafiki._number_test`; digits are matched in one way only, so in linear time. */
const decimal = /^[ \t\n\v\f\r]*[+-]?(\d+(?:\.\d*)?|\.\d+)(e(\+?0*\d{1,2}|-0*\d{1,3}))?[ \t\n\v\f\r]*$/i;

/**
 * One number per row: outputs are numbers [N, 1] in the unit of the labels. A score is a share explained, compared with a constant
 * answer: 1 if all are right, 0 if a constant is as good.
 */
export const regression: TaskKind = {
  readLabel(text) {
    const digits = text.length <= MAX_NUMBER_CHARS ? text.toString('utf8') : '';
    const label = decimal.test(digits) ? Number(digits) : Number.NaN;
    if (!(Math.abs(label) <= MAX_NUMBER)) throw noNumber(text);
    return () => label;
  },

  isLabel: (value): value is number => typeof value === 'number' && Number.isFinite(value),
  classesOf: () => [],
  minClasses: { count: 0, reason: 'numbers have no classes' },
  indexed: (labels) => Float64Array.from(labels, numberOf),

  targets(labels, rows, { target }) {
    if (target === undefined)
      throw new RangeError('numbers are standardised with the mean and scale of the training rows');
    const numbers = numbersIn(labels);
    const data = Float32Array.from(rows, (row) => ((numbers[row] as number) - target.mean) / target.scale);
    return { [numberTarget]: { dtype: 'float32', shape: [rows.length, 1], data } };
  },

  /** Scores are 0 for whatever is worse than a constant answer: among these epochs the one with the smallest error is the best. */
  rank: ({ score, metrics: { r2 = 0 } }) =>
    score > 0 ? score : Math.min(0, Number.isNaN(r2) ? Number.NEGATIVE_INFINITY : r2),

  score(answers, labels, { metric = 'r2' }) {
    const { r2, rmse, mae, ...explained } = errorsOf(floats(answers), numbersIn(labels));
    return { score: explained.score[metricOf(metric)], metrics: { r2, rmse, mae } };
  },

  scoreEnsemble(members, labels, { metric = 'r2', rule }) {
    const numbers = members.map(({ answers }) => floats(answers));
    return errorsOf(meansOf(numbers, members, rule), numbersIn(labels)).score[metricOf(metric)];
  },

  votes: () => true,
  ballots: floats,
  truth: (labels) => Float32Array.from(numbersIn(labels)),
  readBallots: (bytes) => new Float32Array(bytes),

  scoreBallots(members, truth, { metric = 'r2' }) {
    const numbers = members.map(({ ballots }) => numberBallots(ballots));
    const voters = members.map(({ score }) => unweighted(score));
    return errorsOf(meansOf(numbers, voters, 'vote'), numberBallots(truth)).score[metricOf(metric)];
  },

  kept: () => new Float32Array(0), // ballots say all

  panel: (members, truth, { metric }) =>
    new NumberPanel(
      members.map(({ ballots }) => numberBallots(ballots)),
      numberBallots(truth),
      {
        isAbsolute: metric === 'mae',
        metric,
        scoreOf: (answers, actual, by = 'r2') => errorsOf(answers, actual).score[metricOf(by)],
      },
    ),

  answers: answersOf,
};

/** The mean of the members, as the shortest text with the same number in single precision, as Postgres writes a real. */
function answersOf(_classes: readonly string[], rule: EnsembleRule): AnswerMaker {
  const answer: AnswerMaker['answer'] = ({ outputs, members }, row) =>
    shortest(
      meanOf(
        outputs.map((output) => output[row] ?? Number.NaN),
        members,
        rule,
      ),
    );
  return { answer, finding: (batch, row) => ({ number: Number(answer(batch, row)) }) };
}

/** Of each row. */
const meansOf = (
  numbers: readonly Float32Array[],
  members: readonly MemberWeight[],
  rule: EnsembleRule,
): Float32Array =>
  Float32Array.from(numbers[0] ?? [], (_, row) =>
    meanOf(
      numbers.map((each) => each[row] as number),
      members,
      rule,
    ),
  );

function numberBallots(ballots: Ballots): Float32Array {
  if (ballots instanceof Float32Array) return ballots;
  throw new RangeError('members of a regression answer numbers');
}

/** Nine digits distinguish all numbers of single precision, most need fewer. */
function shortest(value: number): string {
  const texts = [6, 7, 8, 9].map((digits) => String(Number(value.toPrecision(digits))));
  return texts.find((text) => Math.fround(Number(text)) === value) ?? String(value);
}

type NumberMetric = MetricOf<'number'>;

interface Errors extends Record<NumberMetric, number> {
  /** In [0, 1]. */
  score: Record<NumberMetric, number>;
}

function errorsOf(answers: Float32Array, actual: Float64Array | Float32Array): Errors {
  const rows = Math.max(1, actual.length);
  let total = 0;
  for (const value of actual) total += value;
  const mean = total / rows;
  const median = actual.toSorted()[actual.length >> 1] ?? 0;
  let [squares, around, absolute, aside] = [0, 0, 0, 0];
  actual.forEach((value, row) => {
    const error = (answers[row] as number) - value;
    squares += error ** 2;
    absolute += Math.abs(error);
    around += (value - mean) ** 2;
    aside += Math.abs(value - median);
  });
  const r2 = 1 - unexplained(squares, around);
  return {
    ...{ r2, rmse: Math.sqrt(squares / rows), mae: absolute / rows },
    score: {
      r2: Math.max(0, r2),
      rmse: Math.max(0, 1 - Math.sqrt(unexplained(squares, around))),
      mae: Math.max(0, 1 - unexplained(absolute, aside)),
    },
  };
}

/** Share of the deviation that is left; all of it, if equal numbers are not answered exactly. */
const unexplained = (error: number, deviation: number): number =>
  error === 0 ? 0 : deviation === 0 ? 1 : error / deviation;

const isOfNumbers = (metric: Metric): metric is NumberMetric => metrics[metric].output === 'number';

function metricOf(metric: Metric): NumberMetric {
  if (isOfNumbers(metric)) return metric;
  throw new RangeError(`"${metric}" is no metric of numbers`);
}

function numbersIn(labels: Labels): Float64Array {
  if (labels instanceof Float64Array) return labels;
  throw new RangeError('a regression is trained on numbers');
}

function numberOf(label: NamedLabel): number {
  if (typeof label === 'number') return label;
  throw new RangeError('a regression is trained on numbers');
}

const noNumber = (text: Buffer): BadData =>
  new BadData('a target is not a number', {
    detail: `It is "${text.toString('utf8').slice(0, 60)}".`,
    hint: 'Correct the row, or leave it out in a view; NaN, infinity and numbers above 3.4e38 cannot be learnt either.',
  });
