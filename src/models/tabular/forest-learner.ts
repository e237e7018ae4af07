import { setImmediate } from 'node:timers/promises';
import type { GrowingTeam } from '../../domain/joint-training.ts';
import type { TargetUnit } from '../../domain/kinds/kind.ts';
import type { Examples } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { TrainedModel, TrainedVariant } from '../../domain/training.ts';
import { CorruptParams } from '../../errors/errors.ts';
import { plainFeatures } from '../../features/columns/plain.ts';
import { type BinnedTable, binTable } from '../../trees/binned-table.ts';
import { Booster } from '../../trees/booster.ts';
import { exportForest } from '../../trees/export-forest.ts';
import { answersOfScores, forestScores } from '../../trees/forest.ts';
import { packForest, packTrees, unpackTrees } from '../../trees/forest-tensors.ts';
import { alone } from '../../trees/grow.ts';
import { LeadingForest } from '../../trees/joint/lead.ts';
import { addTree, exportedNodes, type Tree } from '../../trees/tree.ts';
import type { Learner, ModelParts, TrainedSteps, TrainingPlace, ValidatedParts } from '../learner.ts';
import { type BoostedRows, boostedRows, type ForestRowsTask } from './forest-rows.ts';

/** Rounds of an epoch: a round takes a millisecond for a thousand rows, and a report some. */
const EPOCH_ROUNDS = 10;

/** Epochs without a better score after which no more trees are grown, times the learning rate: at a low one trees add little. */
const PATIENCE = 0.5;
const MIN_PATIENCE = 5;

/** Nodes of a forest in its file, of which half a million take 20 MB there and 0.4 GB in a server. A full forest grows no further. */
const MAX_NODES = 2 ** 19;

export interface ForestTask extends ForestRowsTask {
  valid: Examples;
  epochs: number;
  /** At which the forest is full; default: {@link MAX_NODES}. */
  maxNodes?: number;
}

/** Grows a forest; a step is a round of it, a tree for each score of a row. */
export class ForestLearner implements Learner {
  readonly #task: ForestTask;
  readonly #together: GrowingTeam | undefined;
  readonly #rows: BoostedRows;
  readonly #valid: BinnedTable;
  #booster: Booster;
  #leading: LeadingForest | undefined;
  /** Of the validation rows, [outputs][rows]. */
  #scores: Float64Array[];
  #rounds = 0;
  #nodes = 0;

  readonly stepsPerEpoch = EPOCH_ROUNDS;
  readonly patience: number;

  constructor(task: ForestTask, together?: GrowingTeam) {
    const { features, valid, settings } = task;
    this.#task = task;
    this.#together = together;
    this.patience = Math.max(MIN_PATIENCE, Math.ceil(PATIENCE / settings.learningRate));
    this.#rows = boostedRows(task);
    this.#valid = binTable(this.#rows.work.table.features, plainFeatures(features, valid.inputs));
    [this.#booster, this.#scores] = this.#start([]);
  }

  get epochs(): number {
    return this.#task.epochs;
  }

  get steps(): number {
    return this.#rounds;
  }

  async train(at: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    await setImmediate(); // messages of the worker are read between two rounds
    if (stopNow()) return null;
    if (this.#nodes < (this.#task.maxNodes ?? MAX_NODES) && !(await this.#grow(at, stopNow))) return null;
    // Measured at the end of an epoch and told for all its steps, because it takes a pass over all rows; those of this worker, of several.
    const isLast = at.step + 1 === EPOCH_ROUNDS;
    return { steps: 1, lossSum: isLast ? EPOCH_ROUNDS * this.#booster.loss() : 0 };
  }

  /** False if `stopNow` has ended it. */
  async #grow({ epoch, epochs, step }: TrainingPlace, stopNow: () => boolean): Promise<boolean> {
    const leading = this.#leading;
    const trees = leading ? await leading.grow({ epoch, epochs, step }, stopNow) : alone(this.#booster.round());
    if (trees === null) return false;
    for (const [output, tree] of trees.entries()) addTree(tree, this.#valid, this.#scores[output] as Float64Array);
    this.#nodes += this.#nodesOf(trees);
    this.#rounds++;
    return true;
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
    const best = {
      ...forest,
      trees: forest.trees.slice(0, Number(rounds?.data[0] ?? 0) * this.#rows.objective.outputs),
    };
    const explaining = { kind: 'forest', tensors: packForest(best) } as const;
    return { model: { onnx: exportForest(best, features.target), features, explaining }, variants: [] };
  }

  state(): Record<string, TensorData> {
    return packTrees(this.#booster.forest.trees);
  }

  restore(state: Record<string, TensorData>, steps: number): void {
    const trees = unpackTrees(state);
    if (trees.length !== steps * this.#rows.objective.outputs) throw otherTrees(trees.length, steps);
    [this.#booster, this.#scores] = this.#start(trees);
    this.#nodes = this.#nodesOf(trees);
    this.#rounds = steps;
  }

  async release(): Promise<void> {
    this.#rows.work.stop();
  }

  #nodesOf(trees: readonly Tree[]): number {
    return trees.reduce((sum, tree) => sum + exportedNodes(tree, this.#rows.work.table.features), 0);
  }

  #start(trees: readonly Tree[]): [Booster, Float64Array[]] {
    const { settings } = this.#task;
    const { objective, targets } = this.#rows;
    const booster = new Booster({ settings, ...this.#rows, trees });
    const rows = targets.values.length;
    if (this.#together) this.#leading = new LeadingForest({ booster, rows, ...this.#together, ...objective });
    return [booster, forestScores(booster.forest, this.#valid)];
  }
}

/** Answers [outputs][rows] as those of the exported file, [rows, outputs]. */
function tensorOf(answers: readonly Float64Array[], { mean, scale }: TargetUnit = { mean: 0, scale: 1 }): TensorData {
  const [width, rows] = [answers.length, answers[0]?.length ?? 0];
  const data = new Float32Array(rows * width);
  for (const [output, own] of answers.entries())
    for (let row = 0; row < rows; row++) data[row * width + output] = mean + scale * (own[row] as number);
  return { dtype: 'float32', shape: [rows, width], data };
}

const otherTrees = (trees: number, rounds: number): CorruptParams =>
  new CorruptParams('the checkpoint of a forest is damaged', {
    detail: `It has ${trees} trees after ${rounds} rounds.`,
    hint: 'The trial must start from the beginning.',
  });
