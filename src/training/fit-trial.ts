import type { Knobs } from '../domain/hyper-space.ts';
import type { TrainingSpec } from '../domain/training.ts';
import { networkFamily } from '../models/registry.ts';
import { type FittedTrial, fitToTime } from './fit-to-time.ts';
import type { Assignment } from './messages.ts';
import { REFIT_SHARE, type TrialTime, timeOf } from './trial-time.ts';

/** What a trial trains, and how long. */
export interface FittedRun {
  knobs: Knobs;
  time: TrialTime;
  /** With the threads that it will have; undefined if that is not measured. */
  epochSeconds: number | undefined;
  /** Null if an earlier attempt has chosen it. */
  fitted: (FittedTrial & Pick<TrialTime, 'rung' | 'rungSize' | 'plannedSeconds'>) | null;
}

/** What another thread contributes to the speed of a training step. */
const THREADS_EFFICIENCY = 0.75;

/** Time is left for a refit if it has this many epochs: the coordinator starts none with fewer. */
const MIN_REFIT_EPOCHS = 3;

/**
 * Chooses a smaller network if time is short, and the time of the trial. An earlier attempt's choice stays: a checkpoint fits its own
 * network only, and so do the weights of the trial that it continues.
 */
export async function fitTrial(spec: TrainingSpec, assignment: Assignment): Promise<FittedRun> {
  const { time, chosenKnobs, resume, threads, machineThreads } = assignment;
  const fixed = new Set((time.rung ?? 1) > 1 ? Object.keys(spec.knobs) : chosenKnobs);
  const isFitted = assignment.fullSeconds !== null || resume !== undefined;
  const { knobs, fullSeconds } = isFitted
    ? { knobs: spec.knobs, fullSeconds: assignment.fullSeconds ?? 0 }
    : await fitToTime(spec, time, fixed);
  const perEpoch = fullSeconds === 0 ? 0 : fullSeconds / networkFamily(spec.family).recipe(knobs).epochs;
  const aloneSeconds = perEpoch / (1 + (machineThreads / threads - 1) * THREADS_EFFICIENCY);
  const hasTimeForRefit = REFIT_SHARE * time.studySeconds >= MIN_REFIT_EPOCHS * aloneSeconds;
  const planned = timeOf({ ...time, leavesRefit: time.leavesRefit && hasTimeForRefit }, fullSeconds, isFitted);
  if (chosenKnobs.includes('epochs')) planned.maxEpochs = Math.min(1, planned.maxEpochs);
  const { rung, rungSize, plannedSeconds } = planned;
  const epochSeconds = planned.isAlone ? aloneSeconds : perEpoch;
  return {
    ...{ knobs, time: planned, epochSeconds: fullSeconds === 0 ? undefined : epochSeconds },
    fitted: isFitted ? null : { knobs, fullSeconds, rung, rungSize, plannedSeconds },
  };
}
