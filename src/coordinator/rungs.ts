import type { RungPlace, TrialRow } from '../db/statements/trials.ts';
import { rungSeconds, rungSizes } from '../domain/rungs.ts';
import { trialEnded } from '../domain/state.ts';
import { MAX_FAILURES } from '../domain/study-limits.ts';
import { affordableTrials } from '../domain/training.ts';
import { isScored, isUseful, type StudyView, secondsLeft, workersOf } from './study-view.ts';

/** Trials that a study with rungs can start next. */
export interface RungStep {
  /** Number of candidates to propose. */
  candidates: number;
  /** Trials of the last rung that continue in the next one, the best first. */
  continued: readonly TrialRow[];
  /** Of all of them. */
  place: Omit<RungPlace, 'continues'>;
}

/**
 * What a study whose trials take long can do next, the preferred first: fill its first rung, or begin the next one. It starts with one
 * trial, whose worker measures it and plans its time; one of a family that is quick on all data, such as a head on a pretrained encoder, has no
 * place in the plan, and is trained while the next one is. Null for a study without rungs: its trials are quick or have a number of workers,
 * or there is time enough to train each of them to its end.
 */
export function rungSteps({ study, trials, isSlow, idleWorkers, someWorkers }: StudyView): RungStep[] | null {
  if (!isSlow || study.workersPerTrial !== null) return null;
  const useful = trials.filter(isUseful);
  const first = measuredTrial(trials);
  if (first === undefined) {
    // one that waits for a worker with its family delays no other
    const isMeasured = useful.every(
      ({ fullSeconds, state, family }) => fullSeconds !== null || (state === 'waiting' && someWorkers?.has(family)),
    );
    return [firstRung(isMeasured ? 1 : 0, { size: null, plannedSeconds: null })];
  }
  if (first.rung === null) return null;

  const rung = Math.max(...useful.map(({ rung: number }) => number ?? 1));
  const current = useful.filter(({ rung: number }) => number === rung);
  const steps: RungStep[] = [];
  if (rung === 1) {
    const { rungSize: size, plannedSeconds } = first;
    const places = study.maxTrials - trials.length - laterTrials(size ?? 1);
    steps.push(firstRung(Math.min(places, (size ?? 1) - current.length), { size, plannedSeconds }));
  }
  const failures = trials.filter(({ rung: number, state }) => number === rung + 1 && state === 'failed').length;
  if (current.every(({ state }) => trialEnded(state)) && failures < MAX_FAILURES) {
    const workers = Math.max(1, workersOf({ trials, idleWorkers }));
    steps.push(
      nextRung(current, { secondsLeft: secondsLeft(study), workers, rung, fullSeconds: first.fullSeconds ?? 0 }),
    );
  }
  return steps;
}

/** The trial whose time the plan follows, one that is not quick on all data; undefined before one is measured. */
export const measuredTrial = (trials: readonly TrialRow[]): TrialRow | undefined =>
  trials.find((trial) => isUseful(trial) && (trial.fullSeconds ?? 0) > 0);

const firstRung = (candidates: number, place: Pick<RungPlace, 'size' | 'plannedSeconds'>): RungStep => ({
  ...{ candidates, continued: [] },
  place: { number: 1, ...place },
});

/** Trials of the rungs after the first. */
const laterTrials = (candidates: number): number =>
  rungSizes(candidates)
    .slice(1)
    .reduce((sum, size) => sum + size, 0);

interface RungEnd {
  secondsLeft: number;
  workers: number;
  rung: number;
  fullSeconds: number;
}

/** After the last rung, its trial continues if the study still has the time of a whole training: it was extended, or has plenty. */
function nextRung(
  current: readonly TrialRow[],
  { secondsLeft: seconds, workers, rung, fullSeconds }: RungEnd,
): RungStep {
  const wasLast = current.some(({ plannedSeconds }) => plannedSeconds === null);
  const isOver = wasLast && affordableTrials({ studySeconds: seconds, workers }, fullSeconds) < 1;
  const sizes = current.length === 1 ? [1] : rungSizes(current.length).slice(1);
  const ranked = current.filter(isScored).sort((a, b) => b.score - a.score || a.number - b.number);
  const continued = isOver ? [] : ranked.slice(0, sizes[0]);
  const place = { number: rung + 1, size: continued.length, plannedSeconds: rungSeconds(seconds, sizes, workers) };
  return { candidates: 0, continued, place };
}
