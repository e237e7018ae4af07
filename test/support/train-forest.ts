import { Booster } from '../../src/trees/booster.ts';
import { featureBins, MAX_BINS } from '../../src/trees/feature-bins.ts';
import type { Forest } from '../../src/trees/forest.ts';
import { alone } from '../../src/trees/grow.ts';
import { Workspace } from '../../src/trees/kernels/workspace.ts';
import { createObjective, type ForestRows } from '../../src/trees/objective.ts';
import type { BoostingSettings } from '../../src/trees/settings.ts';

export interface GrowthOptions {
  settings: BoostingSettings;
  rounds: number;
  maxBins?: number;
  threads?: number;
  /** A forest to continue. */
  start?: Forest;
  onRound?: () => void | Promise<void>;
}

/** Grows a forest from all rows in this process, without validation. */
export async function trainForest({ columns, targets }: ForestRows, options: GrowthOptions): Promise<Forest> {
  const { settings, rounds, maxBins = MAX_BINS, threads = 1, start, onRound } = options;
  const features = start?.features ?? columns.map((column) => featureBins(column, maxBins));
  const work = new Workspace(features, columns, { slots: settings.maxLeaves, threads });
  try {
    const objective = createObjective(settings, targets);
    const booster = new Booster({ settings, objective, work, targets, trees: start?.trees ?? [] });
    while (booster.forest.trees.length < rounds * objective.outputs) {
      alone(booster.round());
      await onRound?.();
    }
    return booster.forest;
  } finally {
    work.stop();
  }
}
