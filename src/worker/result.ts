import type { Queryable } from '../db/database.ts';
import { persist } from '../db/persist.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { insertValidation, setRefitTrained } from '../db/statements/studies.ts';
import { type TrialTransition, transitionTrial } from '../db/statements/transitions.ts';
import { dropKeptAnswers, insertVariant, type NewVariant } from '../db/statements/votes.ts';
import { CANDIDATES_OF_FAMILY } from '../domain/ensembles/rule.ts';
import type { Ballots } from '../domain/kinds/kind.ts';
import type { TrainedModel, TrainingResult } from '../domain/training.ts';
import { packModel } from '../params/model-codec.ts';
import type { Validated } from '../training/messages.ts';
import type { TrialRunOptions } from './run-options.ts';

/** The training result and the rows it was measured on. */
export interface Finished {
  result: TrainingResult;
  validated: Validated;
}

/** A chosen network that was trained again on all rows, and the hashes of their inputs. */
export interface Refitted {
  result: TrainingResult;
  trained: BigInt64Array;
}

/**
 * How long it is tried to store what may have been trained for hours: longer than a database, its disk or S3 is usually out of order. Meanwhile
 * the worker renews the lease when it can; when it can not, the coordinator waits for the time of a lease after the database has returned.
 */
const MAX_STORE_MS = 24 * 3_600_000;

export interface ResultStorage extends Pick<TrialRunOptions, 'database' | 'params' | 'logger'> {
  /** Aborted when another worker has the trial, so that there is nothing left to store. */
  signal: AbortSignal;
}

/** Stores the model, then ends the trial. Retries for a day, since the training is complete. */
export async function storeResult(
  owner: ClaimedTrial,
  { result, validated }: Finished,
  storage: ResultStorage,
): Promise<void> {
  const { hash, classes, labels, trained } = validated;
  const validationHash = Buffer.from(hash);
  const said = { predictions: bytesOf(result.predictions), keptAnswers: keptOf(result) };
  const scored = { score: result.score, ...said, validationHash };
  await endTrial(owner, { result, scored, ...storage }, (tx) =>
    insertValidation(tx, owner.study.id, { hash: validationHash, classes, labels: bytesOf(labels), trained }),
  );
}

/** The same for a refit, which has no score. */
export async function storeRefit(
  owner: ClaimedTrial,
  { result, trained }: Refitted,
  storage: ResultStorage,
): Promise<void> {
  const hash = Buffer.from(owner.refit?.validationHash ?? '', 'hex');
  await endTrial(owner, { result: { ...result, state: 'completed' }, scored: null, ...storage }, (tx) =>
    setRefitTrained(tx, owner.study.id, { hash, trained }),
  );
}

interface Ending extends ResultStorage {
  result: TrainingResult;
  scored: NonNullable<TrialTransition['result']>['scored'];
}

async function endTrial(
  owner: ClaimedTrial,
  { result, scored, database, params, signal, logger }: Ending,
  before: (tx: Queryable) => Promise<void>,
): Promise<void> {
  const save = (model: TrainedModel): Promise<number> =>
    params.save('model', packModel(model), { standsOn: model.features.pretrained?.paramsId ?? null });
  // Each try saves all of it: the coordinator deletes within minutes what an earlier one has saved, and no trial refers to.
  const store = async (): Promise<boolean> => {
    const paramsId = await save(result.model);
    const variants: NewVariant[] = [];
    for (const { precision, score, model, predictions, kept } of result.variants) {
      const stored = { paramsId: await save(model), predictions: bytesOf(predictions), keptAnswers: keptOf({ kept }) };
      variants.push({ trialId: owner.trialId, precision, score, ...stored });
    }
    const { epochs: epoch, seconds } = result;
    const move: TrialTransition = {
      id: owner.trialId,
      from: 'running',
      event: result.state === 'stopped' ? 'stop' : 'complete',
      owner,
      result: { epoch, seconds, paramsId, scored },
    };
    return database.transaction(async (tx) => {
      await before(tx);
      if (!(await transitionTrial({ on: tx, logger }, move))) return false;
      for (const variant of variants) await insertVariant(tx, variant);
      await dropKeptAnswers(tx, owner.study.id, CANDIDATES_OF_FAMILY);
      return true;
    });
  };
  if (!(await persist(store, logger, signal, MAX_STORE_MS)))
    logger.warn({ trial: owner.trialId }, 'the result was discarded: the trial is no longer owned by this worker');
}

/** Null if nothing was kept, because ballots say all. */
const keptOf = ({ kept }: { kept: Float32Array }): Buffer | null => (kept.length === 0 ? null : bytesOf(kept));

/** Little endian on all platforms of Node. */
const bytesOf = (values: Ballots): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
