import type { RungPlace, TrialRow } from '../db/statements/trials.ts';
import { candidatesOf, rungSeconds, rungSizes } from '../domain/rungs.ts';
import { trialEnded } from '../domain/state.ts';
import { affordableTrials } from '../domain/training.ts';
import { isScored, type StudyView, secondsLeft, workersOf } from './study-view.ts';

/** What a study with rungs starts next. */
export interface RungStep {
  /** Number of candidates to propose. */
  candidates: number;
  /** Trials of the last rung that continue in the next one, the best first. */
  continued: readonly TrialRow[];
  /** Of all of them. */
  place: Omit<RungPlace, 'continues'>;
}

/**
 * The next step of a study whose trials take long. It starts with one trial, whose worker measures it and plans its time. Null for a
 * study without rungs: its trials are quick or have a number of workers, or there is time enough to train each of them to its end.
 */
export function nextRungStep(view: StudyView): RungStep | null {
  const { study, trials, isSlow } = view;
  if (!isSlow || study.workersPerTrial !== null) return null;
  const useful = trials.filter(isUseful);
  const first = measuredTrial(trials);
  if (first === undefined) return firstRung(useful.length === 0 ? 1 : 0, null);
  if (first.rung === null) return null;

  const rung = Math.max(...useful.map(({ rung: number }) => number ?? 1));
  const current = useful.filter(({ rung: number }) => number === rung);
  if (rung === 1 && first.plannedSeconds !== null) {
    const missing = wantedCandidates(view, first.fullSeconds ?? 0) - current.length;
    if (missing > 0) return firstRung(missing, first.plannedSeconds);
  }
  if (!current.every(({ state }) => trialEnded(state))) return firstRung(0, null);
  return nextRung(view, { rung, current, fullSeconds: first.fullSeconds ?? 0 });
}

const isUseful = ({ state }: TrialRow): boolean => state !== 'failed' && state !== 'cancelled';

/** The trial whose time the plan follows; undefined before one is measured. */
export const measuredTrial = (trials: readonly TrialRow[]): TrialRow | undefined =>
  trials.find((trial) => isUseful(trial) && trial.fullSeconds !== null);

const firstRung = (candidates: number, plannedSeconds: number | null): RungStep => ({
  ...{ candidates, continued: [] },
  place: { number: 1, plannedSeconds },
});

/** Candidates of the first rung. */
export function wantedCandidates(view: StudyView, fullSeconds: number): number {
  const { study, search } = view;
  const time = { studySeconds: study.maxTimeMs / 1000, workers: workersOf(view) };
  const limits = { families: search.families.length, maxTrials: study.maxTrials };
  return candidatesOf(affordableTrials(time, fullSeconds), limits) ?? 1;
}

/** After the last rung, its trial continues if the study still has the time of a whole training: it was extended, or has plenty. */
function nextRung(
  view: StudyView,
  { rung, current, fullSeconds }: { rung: number; current: readonly TrialRow[]; fullSeconds: number },
): RungStep {
  const [studySeconds, workers] = [secondsLeft(view.study), workersOf(view)];
  const isOver = current.length === 1 && affordableTrials({ studySeconds, workers }, fullSeconds) < 1;
  const sizes = current.length === 1 ? [1] : rungSizes(current.length).slice(1);
  const ranked = current.filter(isScored).sort((a, b) => b.score - a.score || a.number - b.number);
  return {
    candidates: 0,
    continued: isOver ? [] : ranked.slice(0, sizes[0]),
    place: { number: rung + 1, plannedSeconds: rungSeconds(studySeconds, sizes, workers) },
  };
}
