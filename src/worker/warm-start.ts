import type { ClaimedTrial } from '../db/statements/claims.ts';
import { selectPublished, selectStartWeights, setOrigin, setWarmStartSources } from '../db/statements/warm-starts.ts';
import type { TensorData } from '../domain/tensor.ts';
import { WARM_SHARE } from '../domain/warm-start.ts';
import { CorruptParams } from '../errors/errors.ts';
import { familyByName, isNetwork } from '../models/registry.ts';
import type { WarmStart, WarmStartRequest } from '../params/param-store.ts';
import { rankWarmStarts } from '../params/warm-start-ranking.ts';
import { trainWithout } from './assignment.ts';
import type { TrialRunOptions } from './run-options.ts';

/** Tensors of earlier trials that this one starts from; their source is recorded in the trial's row. */
export async function loadWarmStart(
  trial: ClaimedTrial,
  request: WarmStartRequest,
  { database, params, logger }: TrialRunOptions,
): Promise<Record<string, TensorData>> {
  if (trial.initialWeights === 'open') {
    const published = await selectPublished(database, trial.trialId);
    const ofModel = await selectStartWeights(database, trial.trialId);
    await setWarmStartSources(database, trial, rankWarmStarts(published, trial.family), ofModel);
  }
  const none: WarmStart = { tensors: {}, origin: { paramsId: null, share: 0 } };
  const start = await params.warmStart(trial.trialId, request).catch((error: unknown) => {
    return trainWithout('the weights of earlier trials', error, logger) ?? none;
  });
  if (start.origin.share < neededShare(trial) - ROUNDING) throw weightsMissing(trial);
  await setOrigin(database, trial, start.origin);
  return start.tensors;
}

/** Of a share in single precision. */
const ROUNDING = 1e-3;

/** Share of its network that a trial must find in the weights of another: all that a refit's trial had, most of one that it continues. */
function neededShare({ refit, rung, family }: ClaimedTrial): number {
  if (refit !== null) return refit.warmShare;
  return (rung ?? 1) > 1 && isNetwork(familyByName(family)) ? WARM_SHARE : 0;
}

const weightsMissing = ({ trialId }: ClaimedTrial): CorruptParams =>
  new CorruptParams(`the weights that trial ${trialId} starts from are no longer stored, or belong to other rows`, {
    hint: 'The model has the network as it was before. Workers of several machines must have read the same rows.',
  });
