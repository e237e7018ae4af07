import { persist } from '../db/persist.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { insertValidation } from '../db/statements/studies.ts';
import { type TrialTransition, transitionTrial } from '../db/statements/transitions.ts';
import { insertVariant, type NewVariant } from '../db/statements/trials.ts';
import type { TrainedModel, TrainingResult } from '../domain/training.ts';
import { packModel } from '../params/model-codec.ts';
import type { Validated } from '../training/messages.ts';
import type { TrialRunOptions } from './run-options.ts';

/** The training result and the rows it was measured on. */
export interface Finished {
  result: TrainingResult;
  validated: Validated;
}

/** Stores the model, then ends the trial. Retries until the database accepts it, since the training is complete. */
export async function storeResult(
  owner: ClaimedTrial,
  { result, validated }: Finished,
  { database, params, logger }: Pick<TrialRunOptions, 'database' | 'params' | 'logger'>,
): Promise<void> {
  const never = new AbortController().signal;
  const save = (model: TrainedModel): Promise<number> =>
    persist(() => params.save('model', packModel(model)), logger, never);
  const paramsId = await save(result.model);
  const variants: NewVariant[] = [];
  for (const { precision, score, model, predictions } of result.variants) {
    const stored = { paramsId: await save(model), predictions: uint16Bytes(predictions) };
    variants.push({ trialId: owner.trialId, precision, score, ...stored });
  }
  const { hash, classes, labels, trained } = validated;
  const move: TrialTransition = {
    id: owner.trialId,
    from: 'running',
    event: result.state === 'stopped' ? 'stop' : 'complete',
    owner,
    result: {
      score: result.score,
      epoch: result.epochs,
      seconds: result.seconds,
      paramsId,
      predictions: uint16Bytes(result.predictions),
      validationHash: Buffer.from(hash),
    },
  };
  const store = (): Promise<boolean> =>
    database.transaction(async (tx) => {
      await insertValidation(tx, owner.study.id, {
        hash: Buffer.from(hash),
        classes,
        labels: uint16Bytes(labels),
        trained,
      });
      if (!(await transitionTrial({ on: tx, logger }, move))) return false;
      for (const variant of variants) await insertVariant(tx, variant);
      return true;
    });
  if (!(await persist(store, logger, never)))
    logger.warn({ trial: owner.trialId }, 'the result was discarded: the trial is no longer owned by this worker');
}

/** Little endian on all platforms of Node. */
const uint16Bytes = (values: Uint16Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
