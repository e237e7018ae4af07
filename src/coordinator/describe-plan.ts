import { rungSizes } from '../domain/rungs.ts';
import { affordableTrials } from '../domain/training.ts';
import { withoutRefits } from './refits.ts';
import { measuredTrial } from './rungs.ts';
import { type StudyView, workersOf } from './study-view.ts';

/** What a study does with its time, for its owner; null while a study trains one trial after another. */
export function describePlan(view: StudyView): string | null {
  const { study, isSlow } = view;
  if (view.trials.some(({ refits }) => refits !== null)) return 'trains its best models on all rows';
  if (!isSlow || study.workersPerTrial !== null) return null;
  const trials = withoutRefits(view.trials);
  const first = measuredTrial(trials);
  if (first === undefined) return 'measures its first trial';
  const fullSeconds = first.fullSeconds ?? 0;
  if (first.rung === null) {
    const time = { studySeconds: study.maxTimeMs / 1000, workers: workersOf(view) };
    const count = Math.min(study.maxTrials, Math.max(1, Math.floor(affordableTrials(time, fullSeconds))));
    return `trains each trial to its end: time for about ${count}`;
  }
  const rung = Math.max(...trials.map(({ rung: number }) => number ?? 1));
  const current = trials.filter((trial) => trial.rung === rung);
  const families = current.map(({ family }) => family).join(', ');
  const seconds = current.at(-1)?.plannedSeconds ?? null;
  if (seconds === null) return `${families} alone, with all cores, until max_time`;
  const sizes = rungSizes(Math.max(2, current.at(-1)?.rungSize ?? current.length));
  const later = sizes.slice(1).map((size) => `the best${size === 1 ? '' : ` ${size}`}`);
  const now = rung === 1 ? `${sizes[0]} candidates` : families;
  return `${now} for ${Math.round(seconds)} s each, then ${later.join(', then ')} until max_time`;
}
