import { BadData } from '../errors/errors.ts';
import { binTable } from './binned-table.ts';
import { Booster } from './booster.ts';
import { type FeatureColumn, featureBins, mostBins } from './feature-bins.ts';
import { type Forest, forestScores } from './forest.ts';
import type { SumExchange } from './grow.ts';
import { type BoostingObjective, createObjective, type TreeTargets } from './objective.ts';
import type { BoostingSettings } from './settings.ts';
import { addTree, type Tree } from './tree.ts';
import { Workspace } from './workspace.ts';

export interface ForestRows {
  columns: readonly FeatureColumn[];
  targets: TreeTargets;
}

export interface TrainingOptions {
  settings: BoostingSettings;
  rounds: number;
  maxBins?: number;
  validation?: ForestRows;
  /** Rounds without a lower validation loss after which training ends. */
  patience?: number;
  /** A checkpoint to continue from. */
  start?: Forest;
  /** After each round, with the validation loss if there are validation rows. */
  onRound?: (forest: Forest, loss: number | undefined) => void;
}

/** Trains on all rows in this process. With validation rows, the forest ends after the round with the lowest loss. */
export function trainForest(rows: ForestRows, options: TrainingOptions): Forest {
  const { settings, rounds, maxBins = mostBins, validation, patience = rounds, start, onRound } = options;
  checkTargets(rows);
  const features = start?.features ?? rows.columns.map((column) => featureBins(column, maxBins));
  const work = new Workspace(binTable(features, rows.columns));
  const objective = createObjective(settings, rows.targets);
  const trees = start?.trees ?? [];
  const booster = new Booster({ settings, objective, work, targets: rows.targets, trees });
  const judge = validation && new ValidationLosses(booster.forest, objective, validation);
  for (let round = trees.length / objective.outputs; round < rounds; round++) {
    const grown = alone(booster.round());
    const loss = judge?.add(grown);
    onRound?.(booster.forest, loss);
    if (judge && judge.rounds - judge.bestRounds >= patience) break;
  }
  const { forest } = booster;
  return judge ? { ...forest, trees: forest.trees.slice(0, judge.bestRounds * objective.outputs) } : forest;
}

/** Runs an exchange of which all rows are here. */
function alone<T>(exchange: SumExchange<T>): T {
  let step = exchange.next();
  while (!step.done) step = exchange.next(step.value);
  return step.value;
}

/** The loss of a growing forest on validation rows, and after which of its rounds it was lowest. */
class ValidationLosses {
  readonly #objective: BoostingObjective;
  readonly #rows: ForestRows;
  readonly #table: ReturnType<typeof binTable>;
  readonly #scores: Float64Array[];
  #lowest = Number.POSITIVE_INFINITY;
  rounds: number;
  bestRounds: number;

  constructor(forest: Forest, objective: BoostingObjective, rows: ForestRows) {
    this.#objective = objective;
    this.#rows = rows;
    this.#table = binTable(forest.features, rows.columns);
    this.#scores = forestScores(forest, this.#table);
    this.rounds = forest.trees.length / objective.outputs;
    this.bestRounds = this.rounds;
    if (this.rounds > 0) this.#lowest = this.#loss();
  }

  /** The loss with the trees of one more round. */
  add(trees: readonly Tree[]): number {
    for (const [output, tree] of trees.entries()) addTree(tree, this.#table, this.#scores[output] as Float64Array);
    this.rounds++;
    const loss = this.#loss();
    if (loss < this.#lowest) [this.#lowest, this.bestRounds] = [loss, this.rounds];
    return loss;
  }

  #loss = (): number => this.#objective.loss(this.#scores, this.#rows.targets);
}

function checkTargets({ columns, targets }: ForestRows): void {
  const { length } = targets.values;
  if (length === 0 || columns.length === 0)
    throw new BadData('a forest needs rows and columns', {
      detail: `There are ${length} rows with ${columns.length} columns.`,
      hint: 'Train on a table that has rows, and columns besides the target.',
    });
  const uneven = columns.find(({ values }) => values.length !== length);
  if (uneven)
    throw new BadData(`a column has ${uneven.values.length} rows, but there are ${length} targets`, {
      hint: 'Give each column and the target one value a row.',
    });
  const bad = targets.values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new BadData('a target is not a finite number', {
      detail: `Row ${bad} has ${targets.values[bad]}.`,
      hint: 'Leave out the rows without a target.',
    });
}
