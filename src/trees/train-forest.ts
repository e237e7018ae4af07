import { BadData } from '../errors/errors.ts';
import { Booster } from './booster.ts';
import { featureBins, mostBins } from './feature-bins.ts';
import type { Forest } from './forest.ts';
import type { SumExchange } from './grow.ts';
import { Workspace } from './kernels/workspace.ts';
import { createObjective, type ForestRows } from './objective.ts';
import type { BoostingSettings } from './settings.ts';
import { ValidationLosses } from './validation-losses.ts';

export interface TrainingOptions {
  settings: BoostingSettings;
  rounds: number;
  maxBins?: number;
  validation?: ForestRows;
  /** Rounds without a lower validation loss after which training ends. */
  patience?: number;
  /** The trees are the same with any number. */
  threads?: number;
  /** A checkpoint to continue from. */
  start?: Forest;
  /** After each round, with the validation loss if there are validation rows. */
  onRound?: (forest: Forest, loss: number | undefined) => void | Promise<void>;
}

/**
 * Trains on all rows in this process, and waits for `onRound` between rounds. With validation rows, the forest ends after the round
 * with the lowest loss.
 */
export async function trainForest(rows: ForestRows, options: TrainingOptions): Promise<Forest> {
  const { settings, maxBins = mostBins, threads = 1, start } = options;
  checkTargets(rows);
  const features = start?.features ?? rows.columns.map((column) => featureBins(column, maxBins));
  const work = new Workspace(features, rows.columns, { slots: settings.maxLeaves, threads });
  try {
    return await growForest(work, rows, options);
  } finally {
    work.stop();
  }
}

async function growForest(work: Workspace, { targets }: ForestRows, options: TrainingOptions): Promise<Forest> {
  const { settings, rounds, validation, patience = rounds, start, onRound } = options;
  const objective = createObjective(settings, targets);
  const trees = start?.trees ?? [];
  const booster = new Booster({ settings, objective, work, targets, trees });
  const judge = validation && new ValidationLosses(booster.forest, objective, validation);
  for (let round = trees.length / objective.outputs; round < rounds; round++) {
    const grown = alone(booster.round());
    const loss = judge?.add(grown);
    await onRound?.(booster.forest, loss);
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
