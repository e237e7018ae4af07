import { BadData } from '../errors/errors.ts';
import { Booster } from './booster.ts';
import { featureBins, mostBins } from './feature-bins.ts';
import type { Forest } from './forest.ts';
import { alone } from './grow.ts';
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
  checkRows(rows, settings);
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

function checkRows({ columns, targets }: ForestRows, { objective, classes }: BoostingSettings): void {
  const { values, weights } = targets;
  if (values.length === 0 || columns.length === 0)
    throw new BadData('a forest needs rows and columns', {
      detail: `There are ${values.length} rows with ${columns.length} columns.`,
      hint: 'Train on a table that has rows, and columns besides the target.',
    });
  const uneven = [...columns.map((column) => column.values), ...(weights ? [weights] : [])].find(
    ({ length }) => length !== values.length,
  );
  if (uneven)
    throw new BadData(`a column has ${uneven.length} rows, but there are ${values.length} targets`, {
      hint: 'Give each column, the target and the weights one value a row.',
    });
  const isTarget =
    objective === 'log_loss'
      ? (value: number) => Number.isInteger(value) && value >= 0 && value < classes
      : (value: number) => Number.isFinite(value);
  refuse(values, isTarget, objective === 'log_loss' ? `a class from 0 to ${classes - 1}` : 'a finite number');
  if (weights) refuse(weights, (weight) => Number.isFinite(weight) && weight >= 0, 'a weight from 0 on');
}

function refuse(values: Float32Array, accepted: (value: number) => boolean, what: string): void {
  const bad = values.findIndex((value) => !accepted(value));
  if (bad < 0) return;
  throw new BadData(`a row's target or weight is not ${what}`, {
    detail: `Row ${bad} has ${values[bad]}.`,
    hint: 'Leave out such rows.',
  });
}
