import type { TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import type { DataSet } from '../domain/task.ts';
import type { FittedFeatures, TrainingSpec } from '../domain/training.ts';
import type { TrainerOptions } from '../engine/trainer.ts';
import { BadData } from '../errors/errors.ts';
import type { EncodedRows, Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import type { Network } from '../graph/network.ts';
import type { Compact, NetworkFamily, Recipe, TrainingRows } from '../models/family.ts';
import { allKnobs } from '../models/knobs.ts';
import { networkFamily } from '../models/registry.ts';

/**
 * Few rows are trained in smaller batches: 40 rows in batches of 64 would make ten steps in ten epochs, and learn
 * nothing.
 */
const minStepsPerEpoch = 16;

/** The parts of a network's trial, derived from its spec: the same on every attempt. */
export interface PreparedTrial {
  spec: TrainingSpec;
  kind: TaskKind;
  family: NetworkFamily;
  recipe: Recipe;
  features: FittedFeatures;
  network: Network;
  /** The graph that is validated and deployed. */
  deployed: Compact;
  train: TrainingRows;
  valid: EncodedRows;
  batch: number;
  /** Passes over the rows per epoch. */
  passes: number;
  stepsPerEpoch: number;
}

/** Throws {@link BadData} if there is nothing to train on, or to validate on. */
export function checkRows({ train, valid }: DataSet): void {
  if (train.inputs.length > 0 && valid.inputs.length > 0) return;
  throw new BadData('there are too few rows to train and validate', {
    detail: `${train.inputs.length} rows to train on, ${valid.inputs.length} to validate on`,
    hint: 'Add labelled rows, or change the share that is kept for validation.',
  });
}

/** `replaced`: all weights of its network will be those of a checkpoint, or of another worker, before a step. */
export async function prepareTrial(
  { fitTo, ...given }: TrainingSpec,
  { replaced = false } = {},
): Promise<PreparedTrial> {
  checkRows(given.data);
  const { train, valid, classes } = given.data;
  const kind = kindOf(given.task);
  const family = networkFamily(given.family);
  const spec = { ...given, knobs: allKnobs(family, given) };
  const recipe = family.recipe(spec.knobs);
  const body = await family.open?.(fitTo === undefined ? spec : { ...spec, fitTo }, { replaced });
  const features = await family.fit({ ...(fitTo ?? train), classes }, spec.knobs, body);
  const network = family.network(features, spec.knobs, body);
  const encoder = createEncoder(features);
  const parts = { spec, kind, family, recipe, features, network };
  return {
    ...parts,
    deployed: family.compact?.(network, features) ?? { network, weights: (trained) => trained },
    train: await trainingRows(parts, encoder),
    valid: await encoder.prepare(valid.inputs),
    ...epochOf(recipe, train.inputs.length),
  };
}

/** Number of batches in an epoch. */
export function epochOf(
  { batch, stepsPerEpoch, maxStepsPerEpoch = Number.POSITIVE_INFINITY }: Recipe,
  rows: number,
): Pick<PreparedTrial, 'batch' | 'passes' | 'stepsPerEpoch'> {
  if (stepsPerEpoch === undefined) {
    const fitting = Math.min(batch, Math.ceil(rows / minStepsPerEpoch));
    return { batch: fitting, passes: 1, stepsPerEpoch: Math.min(maxStepsPerEpoch, Math.floor(rows / fitting)) };
  }
  const passes = Math.max(1, Math.ceil((stepsPerEpoch * batch) / rows));
  return { batch, passes, stepsPerEpoch: Math.floor((rows * passes) / batch) };
}

export const trainerOf = ({
  spec,
  network,
  recipe,
  batch,
}: Pick<PreparedTrial, 'spec' | 'network' | 'recipe' | 'batch'>): TrainerOptions => ({
  network,
  optimiser: recipe.optimiser,
  batch,
  threads: spec.threads,
  seed: spec.noiseSeed ?? spec.seed,
  clips: recipe.clipNorm !== undefined,
  averages: recipe.averageDecay !== undefined,
});

type TrialParts = Pick<PreparedTrial, 'spec' | 'kind' | 'family' | 'recipe' | 'features' | 'network'>;

async function trainingRows(
  { spec, kind, family, recipe, features, network }: TrialParts,
  encoder: Encoder,
): Promise<TrainingRows> {
  const { knobs, data } = spec;
  if (family.trainingRows !== undefined) return family.trainingRows(data.train, { features, knobs, network });
  const { inputs: given, labels } = data.train;
  const rows = encoder.prepareTraining?.(given, { labels, classes: data.classes }) ?? (await encoder.prepare(given));
  return {
    count: rows.count,
    length: (row) => rows.length(row),
    batch(indexes, { rng }) {
      const inputs = rows.batch(indexes);
      const encoding = { shapes: network.targets, inputs, target: features.target, smoothing: recipe.labelSmoothing };
      const targets = kind.targets(data.train.labels, indexes, encoding);
      family.augment?.(inputs, knobs, rng);
      return { inputs, targets };
    },
  };
}
