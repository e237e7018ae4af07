import { stat } from 'node:fs/promises';
import { type Shard, shardsOf } from '../datasets/shard.ts';
import { isTransient } from '../db/persist.ts';
import { type ClaimedTrial, isWorkerNeeded } from '../db/statements/claims.ts';
import type { JoinedTrial } from '../db/statements/joint-training.ts';
import { selectMemberParams, selectTrained } from '../db/statements/models.ts';
import type { ParamSet } from '../domain/tensor.ts';
import { computing } from '../engine/computing.ts';
import { RafikiError, reportError } from '../errors/rafiki-error.ts';
import { familyByName, familyNames, isBuiltIn, isNetwork, keptEpoch, studyFamilies } from '../models/registry.ts';
import { unpackModel } from '../params/model-codec.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Assignment, Incumbent, TrialInput } from '../training/messages.ts';
import { shareSeconds } from '../training/trial-time.ts';
import type { TrialRunOptions } from './run-options.ts';

/** First checkpoint of a trial that has lost its worker: what killed that may soon come again, and each attempt has to get somewhere. */
const EARLY_MS = 2_000;

/**
 * Collects the input of the training process: the data on disk, the last checkpoint, the deployed model to compare
 * with. The study's time is counted from `claimedMs`, when the trial's row was read.
 */
export async function prepareAssignment(
  trial: ClaimedTrial,
  options: TrialRunOptions,
  { claimedMs, signal }: { claimedMs: number; signal: AbortSignal },
): Promise<Omit<Assignment, 'folder'>> {
  const { study, isFirst, workers, rung, plannedSeconds } = trial;
  const { machineThreads, checkpointEveryMs } = options;
  const isNeeded = (): Promise<boolean> =>
    isWorkerNeeded(options.database, trial.processId, { families: familyNames() });
  const dataFile = await options.cache.file(study, { signal, isWorkerNeeded: isNeeded });
  const isWarm = trial.initialWeights !== 'random';
  const resume = await loadCheckpoint(trial, options);
  const incumbent = await loadIncumbent(trial, options);
  return {
    kind: 'assignment',
    ...trialInput(trial, options, { dataFile, shard: await shardOf(trial, dataFile, 0) }),
    ...(await pretrainedOf(trial, options)),
    machineThreads,
    time: {
      studySeconds: study.secondsLeft - (systemClock.nowMs() - claimedMs) / 1000,
      shareSeconds: shareSeconds({ maxSeconds: study.maxSeconds, workers, isFirst }),
      ...{ workers, rung, plannedSeconds },
      limits:
        study.workersPerTrial === null
          ? {
              families: studyFamilies(study).length,
              maxTrials: study.maxTrials - (trial.number - 1),
            }
          : null,
      leavesRefit: study.refit && trial.refit === null,
    },
    fullSeconds: trial.fullSeconds,
    lastRound: trial.lastRound,
    chosenKnobs: study.chosenKnobs,
    checkpointMs: {
      first: trial.attempt === 0 ? checkpointEveryMs : Math.min(EARLY_MS, checkpointEveryMs),
      later: checkpointEveryMs,
    },
    warmStart: isWarm || (study.collaborative && trial.refit === null),
    ...(resume === undefined ? {} : { resume }),
    ...(trial.refit === null
      ? {}
      : {
          refit: {
            ...trial.refit,
            until: keptEpoch(trial.family, trial.refit.scores) || trial.refit.epochs,
            continues: rung !== null && isNetwork(familyByName(trial.family)),
            keepsFeatures: isWarm,
          },
        }),
    ...(incumbent === undefined ? {} : { incumbent }),
  };
}

/** The encoder of a trial whose family stands on one, on the local disk: the one that its knob names. */
export async function pretrainedOf(
  { family, knobs, study: { encoders } }: Pick<JoinedTrial, 'family' | 'knobs' | 'study'>,
  { files, vectorDir }: TrialRunOptions,
): Promise<Pick<TrialInput, 'pretrained'>> {
  // families from elsewhere may have no such knob
  const encoder = knobs['encoder'] === undefined ? encoders[0] : encoders.find(({ name }) => name === knobs['encoder']);
  if (familyByName(family).needsEncoder !== true || encoder === undefined) return {};
  const { name, paramsId } = encoder;
  return { pretrained: { name, paramsId, file: await files.fetch(encoder.paramsId), cacheDir: vectorDir } };
}

/** What every training process of a trial gets, whether it leads or has joined. */
export function trialInput(
  { study, family, knobs, seed }: Pick<JoinedTrial, 'study' | 'family' | 'knobs' | 'seed'>,
  { threads, logger, sources }: Pick<TrialRunOptions, 'threads' | 'logger' | 'sources'>,
  file: Pick<TrialInput, 'dataFile' | 'shard'>,
): TrialInput {
  const { device, engine } = computing();
  const { task, validation, metric, balanced } = study;
  return {
    ...{ task, family, knobs, seed, threads, ...file, validation, metric, balanced },
    computing: { device, engine },
    logLevel: logger.level,
    sources: isBuiltIn(family) ? [] : sources,
  };
}

/** What a worker holds of a trial's data file; all of it, or the shard `index`. */
export async function shardOf({ study }: Pick<JoinedTrial, 'study'>, dataFile: string, index: number): Promise<Shard> {
  const count = shardsOf(study.task, { bytes: (await stat(dataFile)).size, workersPerTrial: study.workersPerTrial });
  return { index: index % count, count };
}

async function loadCheckpoint(
  { trialId, checkpointId }: ClaimedTrial,
  options: TrialRunOptions,
): Promise<ParamSet | undefined> {
  if (checkpointId === null) return undefined;
  try {
    return await options.params.load(checkpointId);
  } catch (error) {
    return trainWithout(`the checkpoint of trial ${trialId}`, error, options.logger);
  }
}

async function loadIncumbent({ incumbentId }: ClaimedTrial, options: TrialRunOptions): Promise<Incumbent | undefined> {
  if (incumbentId === null) return undefined;
  try {
    const stored = await selectMemberParams(options.database, incumbentId);
    const [first] = stored;
    if (first === undefined) return undefined; // the model was dropped meanwhile
    const members = await Promise.all(
      stored.map(async ({ id, score, weight, temperature }) => {
        const model = unpackModel(await options.params.load(id));
        const { pretrained } = model.features;
        const encoder = pretrained === undefined ? {} : { encoder: await options.files.fetch(pretrained.paramsId) };
        return { score, weight, temperature, model, ...encoder };
      }),
    );
    const trained = await selectTrained(options.database, incumbentId);
    return { rule: first.rule, members, cacheDir: options.vectorDir, trained };
  } catch (error) {
    return trainWithout('a score of the deployed model', error, options.logger);
  }
}

/**
 * Damaged or missing parameters must not prevent the training that replaces them; an unreachable database or store
 * must.
 */
export function trainWithout(what: string, error: unknown, logger: Logger): undefined {
  if (!(error instanceof RafikiError) || isTransient(error)) throw error;
  logger.warn({ err: reportError(error) }, `training without ${what}`);
  return undefined;
}
