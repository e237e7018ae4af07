import { setImmediate } from 'node:timers/promises';
import type { TargetUnit } from '../../domain/kinds/kind.ts';
import type { Examples } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures, TrainedModel, TrainedVariant } from '../../domain/training.ts';
import { CorruptParams, DataTooLarge } from '../../errors/errors.ts';
import { plainFeatures } from '../../features/columns/plain.ts';
import { type BinnedTable, binTable } from '../../trees/binned-table.ts';
import { Booster } from '../../trees/booster.ts';
import { exportForest } from '../../trees/export-forest.ts';
import { featureBins } from '../../trees/feature-bins.ts';
import { answersOfScores, forestScores } from '../../trees/forest.ts';
import { packForest, packTrees, unpackTrees } from '../../trees/forest-tensors.ts';
import { alone } from '../../trees/grow.ts';
import { Workspace } from '../../trees/kernels/workspace.ts';
import { type BoostingObjective, createObjective, type TreeTargets } from '../../trees/objective.ts';
import type { BoostingSettings } from '../../trees/settings.ts';
import { addTree, exportedNodes, type Tree } from '../../trees/tree.ts';
import { balancedWeights } from '../balanced-weights.ts';
import type { Learner, ModelParts, TrainedSteps, TrainingPlace, ValidatedParts } from '../learner.ts';

/** Rounds of an epoch: a round takes a millisecond for a thousand rows, and a report some. */
const EPOCH_ROUNDS = 10;

/** Epochs without a better score after which no more trees are grown, times the learning rate: at a low one trees add little. */
const PATIENCE = 0.5;
const MIN_PATIENCE = 5;

/** Scores of all training rows, which are doubles and needed twice: half a gigabyte. */
const MAX_SCORES = 2 ** 25;

/** Nodes of a forest in its file, of which half a million take 20 MB there and 0.4 GB in a server. A full forest grows no further. */
const MAX_NODES = 2 ** 19;

export interface ForestTask {
  features: FittedFeatures;
  train: Examples;
  valid: Examples;
  settings: BoostingSettings;
  bins: number;
  epochs: number;
  threads: number;
  /** Whether all classes weigh the same. */
  balanced: boolean;
  /** At which the forest is full; default: {@link MAX_NODES}. */
  maxNodes?: number;
}

/** Grows a forest; a step is a round of it, a tree for each score of a row. */
export class ForestLearner implements Learner {
  readonly #task: ForestTask;
  readonly #objective: BoostingObjective;
  readonly #targets: TreeTargets;
  readonly #work: Workspace;
  readonly #valid: BinnedTable;
  #booster: Booster;
  /** Of the validation rows, [outputs][rows]. */
  #scores: Float64Array[];
  #rounds = 0;
  #nodes = 0;

  readonly stepsPerEpoch = EPOCH_ROUNDS;
  readonly patience: number;

  constructor(task: ForestTask) {
    const { features, train, valid, settings, bins, threads } = task;
    this.#task = task;
    this.patience = Math.max(MIN_PATIENCE, Math.ceil(PATIENCE / settings.learningRate));
    this.#targets = targetsOf(task);
    this.#objective = createObjective(settings, this.#targets);
    if (train.inputs.length * this.#objective.outputs > MAX_SCORES)
      throw tooManyScores(train.inputs.length, this.#objective.outputs);
    const columns = plainFeatures(features, train.inputs, { labels: train.labels, classes: features.classes });
    const cut = columns.map((column) => featureBins(column, bins));
    this.#work = new Workspace(cut, columns, { slots: settings.maxLeaves, threads });
    this.#valid = binTable(cut, plainFeatures(features, valid.inputs));
    [this.#booster, this.#scores] = this.#start([]);
  }

  get epochs(): number {
    return this.#task.epochs;
  }

  get steps(): number {
    return this.#rounds;
  }

  async train({ step }: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    await setImmediate(); // messages of the worker are read between two rounds
    if (stopNow()) return null;
    if (this.#nodes < (this.#task.maxNodes ?? MAX_NODES)) this.#grow();
    // Measured at the end of an epoch and told for all its steps, because it takes a pass over all rows.
    const isLast = step + 1 === EPOCH_ROUNDS;
    return { steps: 1, lossSum: isLast ? EPOCH_ROUNDS * this.#booster.loss() : 0 };
  }

  #grow(): void {
    const trees = alone(this.#booster.round());
    for (const [output, tree] of trees.entries()) addTree(tree, this.#valid, this.#scores[output] as Float64Array);
    this.#nodes += this.#nodesOf(trees);
    this.#rounds++;
  }

  async validated(): Promise<ValidatedParts> {
    const answers = answersOfScores(this.#task.settings.objective, this.#scores);
    const rounds = Int32Array.of(this.#rounds);
    return {
      answers: tensorOf(answers, this.#task.features.target),
      parts: () => ({ rounds: { dtype: 'int32', shape: [1], data: rounds } }),
    };
  }

  async exported({ rounds }: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }> {
    const { features } = this.#task;
    const { forest } = this.#booster;
    const best = { ...forest, trees: forest.trees.slice(0, Number(rounds?.data[0] ?? 0) * this.#objective.outputs) };
    const explaining = { kind: 'forest', tensors: packForest(best) } as const;
    return { model: { onnx: exportForest(best, features.target), features, explaining }, variants: [] };
  }

  state(): Record<string, TensorData> {
    return packTrees(this.#booster.forest.trees);
  }

  restore(state: Record<string, TensorData>, steps: number): void {
    const trees = unpackTrees(state);
    if (trees.length !== steps * this.#objective.outputs) throw otherTrees(trees.length, steps);
    [this.#booster, this.#scores] = this.#start(trees);
    this.#nodes = this.#nodesOf(trees);
    this.#rounds = steps;
  }

  async release(): Promise<void> {
    this.#work.stop();
  }

  #nodesOf(trees: readonly Tree[]): number {
    return trees.reduce((sum, tree) => sum + exportedNodes(tree, this.#work.table.features), 0);
  }

  #start(trees: readonly Tree[]): [Booster, Float64Array[]] {
    const { settings } = this.#task;
    const [objective, work, targets] = [this.#objective, this.#work, this.#targets];
    const booster = new Booster({ settings, objective, work, targets, trees });
    return [booster, forestScores(booster.forest, this.#valid)];
  }
}

/** Classes by number, with weights that make all classes equal if asked for; or standardised numbers. */
function targetsOf({ features: { target, classes }, train: { labels }, balanced }: ForestTask): TreeTargets {
  if (labels instanceof Float64Array && target !== undefined)
    return { values: Float32Array.from(labels, (label) => (label - target.mean) / target.scale) };
  if (!(labels instanceof Int32Array)) throw new RangeError('a forest is trained on classes or numbers');
  const values = Float32Array.from(labels);
  return balanced ? { values, weights: balancedWeights(labels, classes.length) } : { values };
}

/** Answers [outputs][rows] as those of the exported file, [rows, outputs]. */
function tensorOf(answers: readonly Float64Array[], { mean, scale }: TargetUnit = { mean: 0, scale: 1 }): TensorData {
  const [width, rows] = [answers.length, answers[0]?.length ?? 0];
  const data = new Float32Array(rows * width);
  for (const [output, own] of answers.entries())
    for (let row = 0; row < rows; row++) data[row * width + output] = mean + scale * (own[row] as number);
  return { dtype: 'float32', shape: [rows, width], data };
}

const tooManyScores = (rows: number, outputs: number): DataTooLarge =>
  new DataTooLarge('a forest for so many rows and classes needs too much memory', {
    detail: `${rows} rows have ${outputs} scores each; the limit is ${MAX_SCORES} scores.`,
    hint: "Train on fewer rows, or another family: families => '{linear}'.",
  });

const otherTrees = (trees: number, rounds: number): CorruptParams =>
  new CorruptParams('the checkpoint of a forest is damaged', {
    detail: `It has ${trees} trees after ${rounds} rounds.`,
    hint: 'The trial must start from the beginning.',
  });
