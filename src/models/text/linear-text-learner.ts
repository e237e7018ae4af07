import { setImmediate } from 'node:timers/promises';
import type { Examples } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures, TrainedModel, TrainedVariant } from '../../domain/training.ts';
import { CorruptParams } from '../../errors/errors.ts';
import { textsOf } from '../../features/encoder.ts';
import { WeightedNgrams } from '../../features/weighted/weighted-ngrams.ts';
import { calibratedSlope } from '../../linear/calibration.ts';
import {
  type ClassLoss,
  classLoss,
  type NumberLoss,
  numberLoss,
  type RowTargets,
  type ScoreLoss,
} from '../../linear/losses.ts';
import { LinearFit } from '../../linear/newton.ts';
import { multiply, type SparseRows, someRows } from '../../linear/sparse-rows.ts';
import { answersOf } from '../answering.ts';
import type { Learner, ModelParts, TrainedSteps, TrainingPlace, ValidatedParts } from '../learner.ts';
import { exportLinearText, linearAnswers } from './linear-text-graph.ts';

/** Iterations at one C: fewer are needed, because each C starts from the solution of the last one. */
const MAX_ITERATIONS = 30;
/** Of the gradient at zero: the answers then differ by less than a thousandth from those of the exact solution. */
const TOLERANCE = 1e-3;
/** C grows by this factor from epoch to epoch. */
const GROWTH = 2;
/** Epochs without a better score after which larger C are not tried. */
const PATIENCE = 3;
/** Margins become probabilities by what a fit to the other rows says of every fifth one. */
const HELD_EVERY = 5;

export interface LinearTextTask {
  features: FittedFeatures;
  train: Examples;
  valid: Examples;
  loss: ClassLoss | NumberLoss;
  /** Of the first epoch. */
  c: number;
  epochs: number;
  /** Whether all classes weigh the same. */
  balanced: boolean;
}

/**
 * The regularisation path of a linear model: an epoch is a larger C, solved from the last solution, and the best epoch is the C that answers the
 * validation rows best.
 */
export class LinearTextLearner implements Learner {
  readonly #task: LinearTextTask;
  readonly #all: LinearFit;
  /** Absent if scores are logits, or numbers. */
  readonly #held: HeldOut | undefined;
  readonly #valid: SparseRows;
  #steps = 0;

  readonly stepsPerEpoch = MAX_ITERATIONS;
  readonly patience = PATIENCE;

  constructor(task: LinearTextTask) {
    const { features, train, valid, loss } = task;
    this.#task = task;
    const ngrams = new WeightedNgrams(features.state);
    const rows = ngrams.rows(textsOf(train.inputs));
    const targets = targetsOf(task);
    const { columns } = ngrams;
    this.#all = new LinearFit({ rows, columns, loss: lossOf(task, targets) });
    this.#held = loss === 'squared_hinge' ? new HeldOut(task, { rows, targets, columns }) : undefined;
    this.#valid = ngrams.rows(textsOf(valid.inputs));
  }

  get epochs(): number {
    return this.#task.epochs;
  }

  get steps(): number {
    return this.#steps;
  }

  async train({ epoch, step }: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    const c = this.#task.c * GROWTH ** epoch;
    let isSolved = true;
    for (const fit of this.#fits()) {
      const solved = await iterated(fit, c, stopNow);
      if (solved === null) return null;
      isSolved &&= solved;
    }
    const steps = isSolved ? MAX_ITERATIONS - step : 1;
    this.#steps += steps;
    // Of the solution, and told for all steps of the epoch.
    const isLast = step + steps === MAX_ITERATIONS;
    return { steps, lossSum: isLast ? MAX_ITERATIONS * this.#all.meanLoss() : 0 };
  }

  async validated(): Promise<ValidatedParts> {
    const answers = answersOf(this.#task.features);
    const { width } = this.#all.problem.loss;
    const slope = this.#held?.slope() ?? 1;
    const w = this.#all.w.map((weight) => slope * weight);
    const scores = new Float64Array(this.#valid.count * width);
    multiply(this.#valid, w, width, scores);
    const data = linearAnswers(scores, width, answers);
    return {
      answers: { dtype: 'float32', shape: [this.#valid.count, data.length / Math.max(1, this.#valid.count)], data },
      parts: () => ({ w: tensorOf(w, width) }),
    };
  }

  async exported({ w }: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }> {
    const { features } = this.#task;
    const { width } = this.#all.problem.loss;
    const onnx = exportLinearText(weightsOf(w, this.#all.w.length), width, answersOf(features));
    return { model: { onnx, features }, variants: [] };
  }

  state(): Record<string, TensorData> {
    const { width } = this.#all.problem.loss;
    return Object.fromEntries(this.#fits().map((fit, i) => [`w${i}`, tensorOf(fit.w.slice(), width)]));
  }

  restore(state: Record<string, TensorData>, steps: number): void {
    for (const [i, fit] of this.#fits().entries()) fit.w = weightsOf(state[`w${i}`], fit.w.length);
    this.#steps = steps;
  }

  async release(): Promise<void> {}

  #fits(): LinearFit[] {
    return this.#held === undefined ? [this.#all] : [this.#all, this.#held.fit];
  }
}

/** Null if it was stopped; it then changes nothing. */
async function iterated(fit: LinearFit, c: number, stopNow: () => boolean): Promise<boolean | null> {
  const passes = fit.iterate(c, TOLERANCE);
  for (;;) {
    const pass = passes.next();
    if (pass.done) return pass.value;
    await setImmediate(); // messages of the worker are read between two passes
    if (stopNow()) return null;
  }
}

/** A fit to four fifths of the rows, which tells what margins mean on the others. */
class HeldOut {
  readonly fit: LinearFit;
  readonly #rows: SparseRows;
  readonly #loss: ScoreLoss;

  constructor(
    task: LinearTextTask,
    { rows, targets, columns }: { rows: SparseRows; targets: RowTargets; columns: number },
  ) {
    const isHeld = (row: number): boolean => row % HELD_EVERY === 0 && rows.count > HELD_EVERY;
    const part = (keeps: (row: number) => boolean) => {
      const { rows: own, numbers } = someRows(rows, keeps);
      const values = Int32Array.from(numbers, (row) => targets.values[row] as number);
      const { counts } = targets;
      return {
        rows: own,
        targets: { values, counts: counts && Float32Array.from(numbers, (row) => counts[row] as number) },
      };
    };
    const [others, held] = [part((row) => !isHeld(row)), part(isHeld)];
    this.fit = new LinearFit({ rows: others.rows, columns, loss: lossOf(task, others.targets) });
    this.#rows = held.rows;
    this.#loss = classLoss('logistic', held.targets, task.features.classes.length);
  }

  slope(): number {
    const { count } = this.#rows;
    const { width } = this.#loss;
    if (count === 0) return 1;
    const margins = new Float64Array(count * width);
    multiply(this.#rows, this.fit.w, width, margins);
    return calibratedSlope((slope) => this.#loss.value(margins.map((margin) => slope * margin)));
  }
}

function lossOf({ loss, features }: LinearTextTask, targets: RowTargets): ScoreLoss {
  if (loss === 'squared_error' || loss === 'huber') return numberLoss(loss, targets);
  return classLoss(loss, targets, features.classes.length);
}

/** Numbers of classes, with counts that make all classes equal if asked for; or standardised numbers. */
function targetsOf({ features: { target, classes }, train: { labels }, balanced }: LinearTextTask): RowTargets {
  if (labels instanceof Float64Array && target !== undefined)
    return { values: labels.map((label) => (label - target.mean) / target.scale) };
  if (!(labels instanceof Int32Array)) throw new RangeError('a linear model is trained on classes or numbers');
  if (!balanced) return { values: labels };
  const rows = new Uint32Array(classes.length);
  for (const label of labels) rows[label]!++;
  const present = rows.filter((count) => count > 0).length;
  return {
    values: labels,
    counts: Float32Array.from(labels, (label) => labels.length / (present * (rows[label] as number))),
  };
}

const tensorOf = (w: Float32Array, width: number): TensorData => ({
  dtype: 'float32',
  shape: [w.length / width, width],
  data: w,
});

function weightsOf(tensor: TensorData | undefined, length: number): Float32Array {
  if (tensor?.data instanceof Float32Array && tensor.data.length === length) return tensor.data.slice();
  throw new CorruptParams('the weights of a linear model cannot be read', {
    detail: `They are not ${length} numbers of float32.`,
    hint: 'The trial must start from the beginning.',
  });
}
