import type { Study } from '../db/statements/studies.ts';
import type { NewTrial, TrialRow } from '../db/statements/trials.ts';
import { keptEpoch } from '../models/registry.ts';
import { isScored, isUseful, secondsLeft } from './study-view.ts';

/** A refit has more rows, and other load may slow it down: its time is that of the trial, times this. */
const MARGIN = 1.4;

/** Time to end running trials and start refits: most of a small study's refit. */
const START_SECONDS = 2;

/** Maximum share of a study's time that is reserved for refits. */
const MAX_RESERVE = 0.25;

/** Epochs of a network that continues on all rows; with time for fewer it is left as it is. */
const MIN_CONTINUED_EPOCHS = 2;

/** Trials that are scored, without refits. */
export const withoutRefits = (trials: readonly TrialRow[]): TrialRow[] =>
  trials.filter(({ refits }) => refits === null);

/** Seconds at the end of a study in which no other trial is trained, so that its best network can be trained on all rows. */
export function refitReserve(study: Study, trials: readonly TrialRow[]): number {
  if (!refits(study)) return 0;
  const [best] = trials.filter(isScored).sort((a, b) => b.score - a.score);
  const hasRungs = trials.some((trial) => isUseful(trial) && trial.rung !== null);
  if (best === undefined || hasRungs) return 0; // in a study with rungs the last trial leaves time
  const needed = neededSeconds(best);
  if (needed > (MAX_RESERVE * study.maxTimeMs) / 1000) return 0;
  return needed + START_SECONDS; // running trials end within their epochs
}

const epochSeconds = ({ seconds, epoch }: TrialRow): number => (seconds ?? 0) / Math.max(1, epoch);

/** Refits of the members of the model, the best first, if the study has the time; each trial has one at most. */
export function missingRefits(study: Study, trials: readonly TrialRow[], members: readonly number[]): NewTrial[] {
  if (!refits(study) || study.finishRequested) return [];
  return [...new Set(members)] // a member and its variant in 8 bits are of one trial
    .flatMap((member) => trials.filter(({ id }) => id === member))
    .filter(({ rung, state }, place) => rung === null || (place === 0 && state === 'completed')) // the one that continues has all cores
    .filter(({ id }) => !trials.some((trial) => trial.refits === id))
    .filter((trial) => neededSeconds(trial) <= secondsLeft(study))
    .map((trial, i) => refitOf(study, trial, trials.length + 1 + i));
}

/** Nobody joins a refit: what several workers have trained takes one too long. */
const refits = ({ refit, workersPerTrial }: Study): boolean => refit && workersPerTrial === null;

/** A trial that took its study's time continues from its weights; another one is trained from the beginning, as far as its best epoch. */
function neededSeconds(trial: TrialRow): number {
  const { rung, scores, family } = trial;
  return MARGIN * epochSeconds(trial) * (rung === null ? keptEpoch(family, scores) : MIN_CONTINUED_EPOCHS);
}

function refitOf(study: Study, trial: TrialRow, number: number): NewTrial {
  const { id, family, rung, epochs, seed } = trial;
  const initialWeights = rung === null && trial.initialWeights === 'random' ? 'random' : 'chosen';
  const knobs = rung === null && epochs !== null ? { ...trial.knobs, epochs } : trial.knobs;
  return {
    ...{ studyId: study.id, number, family, knobs, seed, initialWeights, refits: id },
    ...(rung === null ? {} : { rung: { number: rung + 1, size: 1, plannedSeconds: null, continues: id } }),
  };
}
