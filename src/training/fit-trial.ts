import type { Knobs } from '../domain/hyper-space.ts';
import type { TrainingSpec } from '../domain/training.ts';
import { familyByName } from '../models/registry.ts';
import { type FittedTrial, fitToTime } from './fit-to-time.ts';
import type { Assignment } from './messages.ts';
import { type TrialTime, timeOf } from './trial-time.ts';

/** What a trial trains, and how long. */
export interface FittedRun {
  knobs: Knobs;
  time: TrialTime;
  /** With the threads that it will have; undefined if that is not measured. */
  epochSeconds: number | undefined;
  /** Null if an earlier attempt has chosen it. */
  fitted: (FittedTrial & Pick<TrialTime, 'rung' | 'plannedSeconds'>) | null;
}

/** What another thread contributes to the speed of a training step. */
const THREADS_EFFICIENCY = 0.75;

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
  const planned = timeOf(time, fullSeconds);
  if (chosenKnobs.includes('epochs')) planned.maxEpochs = Math.min(1, planned.maxEpochs);
  const { rung, plannedSeconds } = planned;
  const speedUp = planned.isAlone ? 1 + (machineThreads / threads - 1) * THREADS_EFFICIENCY : 1;
  const { epochs } = familyByName(spec.family).recipe(knobs);
  return {
    ...{ knobs, time: planned, epochSeconds: fullSeconds === 0 ? undefined : fullSeconds / epochs / speedUp },
    fitted: isFitted ? null : { knobs, fullSeconds, rung, plannedSeconds },
  };
}
