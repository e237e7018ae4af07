import type { Advisor } from '../advisors/advisor.ts';
import type { Study } from '../db/statements/studies.ts';
import type { NewTrial, TrialRow } from '../db/statements/trials.ts';
import { trialEnded } from '../domain/state.ts';
import { MAX_FAILURES, MAX_PAUSE_DAYS } from '../domain/study-limits.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';
import { endsByItself } from '../models/registry.ts';
import { historyOf, proposals } from './proposals.ts';
import { refitReserve, withoutRefits } from './refits.ts';
import { isScored, type StudyView, workersOf } from './study-view.ts';

export type Action =
  | { kind: 'start' }
  | { kind: 'propose'; trial: NewTrial }
  /** Start no further trials. */
  | { kind: 'close'; why: string }
  | { kind: 'stop-trial'; trial: TrialRow; why: string }
  | { kind: 'cancel-trial'; trial: TrialRow }
  /** Write the model and deploy it. */
  | { kind: 'conclude' }
  /** The model is written: check whether it is ready. */
  | { kind: 'await-deployment' }
  | { kind: 'cancel' }
  | { kind: 'fail'; error: ErrorReport };

/** How long after max_time a trial may train until its next report, from when it was to stop, before it is cancelled. */
export const OVERTIME_MS = 60_000;
/** The same of the best trial so far: after its first epoch it ends at once, but its weights may be exported and stored for minutes. */
export const STORING_MS = 10 * 60_000;
/**
 * How long a study waits for its first trial to start. Roles take turns, so a study may wait as long as others' trials
 * take.
 */
export const QUEUE_MS = 24 * 3_600_000;
export const MAX_PAUSE_MS = MAX_PAUSE_DAYS * 24 * 3_600_000;

/** The next actions of an open study. Pure: after any restart, the same rows lead to the same actions. */
export function planStudy({ trials: all, ...rest }: StudyView, advisor: Advisor): Action[] {
  const view = { ...rest, trials: withoutRefits(all) };
  const { study, trials } = view;
  if (isAtRest(study)) return [];
  if (study.state === 'queued') return planStart(study);
  if (study.version !== null) return [{ kind: 'await-deployment' }];
  if (study.cancelRequested) return [...cancelAll(all), { kind: 'cancel' }];

  const hopeless = hopelessError(trials);
  if (hopeless !== null) return [...cancelAll(all), { kind: 'fail', error: hopeless }];

  const over = reasonToEnd(study);
  const refits = all.filter((trial) => trial.refits !== null);
  const why = over ?? (refits.length > 0 ? 'its best models are trained on all rows' : reasonToClose(study, trials));
  const open = all.filter(isOpen);
  const proposed = why === null ? startTrials(view, advisor) : [];
  if (open.length === 0 && proposed.length === 0) return [endOf(study, trials)];
  if (why === null) return [...stopDecisions(view, advisor), ...stranded(view), ...proposed];
  const closed = trials.filter(isOpen).flatMap((trial) => close(trial, why, view));
  return over === null ? closed : [...closed, ...cancelAll(refits)];
}

/** Whether a study is paused, so that nothing of it is read: its workers release its trials. */
export const isAtRest = (study: Study): boolean =>
  study.pausedMs !== null && study.version === null && !study.cancelRequested && reasonToEnd(study) === null;

/** A study that is to end before it has started has no result. */
const planStart = (study: Study): Action[] => [
  { kind: study.cancelRequested || reasonToEnd(study) !== null ? 'cancel' : 'start' },
];

/** Why a study ends with what it has. */
function reasonToEnd({ elapsedMs, waitedMs, pausedMs, maxTimeMs, finishRequested }: Study): string | null {
  if (finishRequested) return 'it was finished by the user';
  if (pausedMs !== null) return pausedMs >= MAX_PAUSE_MS ? 'it was paused for too long' : null;
  if (elapsedMs >= maxTimeMs) return 'max_time has passed';
  if (waitedMs >= QUEUE_MS) return 'no worker started it';
  return null;
}

/** Why it trains no further trials. */
function reasonToClose(study: Study, trials: readonly TrialRow[]): string | null {
  const { elapsedMs, maxTimeMs, targetScore } = study;
  if (elapsedMs >= maxTimeMs - 1000 * refitReserve(study, trials))
    return 'the rest of max_time is for training on all rows';
  const mayBeBest = (trial: TrialRow): boolean => isScored(trial) || trial.state === 'running';
  if (targetScore !== null && trials.some((trial) => mayBeBest(trial) && (trial.score ?? 0) >= targetScore))
    return 'target_score is reached';
  return null;
}

/**
 * A running trial ends with its best epoch so far, or with its first. So does one that has left its worker after an epoch, if it is the best: the next
 * worker ends it. It is cancelled if waiting for that is pointless.
 */
function close(trial: TrialRow, why: string, view: StudyView): Action[] {
  const { study, trials } = view;
  const willBeScored = ({ state, epoch }: TrialRow): boolean =>
    study.finishRequested && state === 'running' && epoch > 0;
  const results = trials.filter((other) => other !== trial && (isScored(other) || willBeScored(other)));
  const isBeaten = results.some(({ score }) => (score ?? 0) >= (trial.score ?? Number.NEGATIVE_INFINITY));
  const isLeft = study.pausedMs !== null || (workersOf(view) === 0 && results.length > 0);
  const isPointless =
    trial.state === 'waiting' ? trial.epoch === 0 || isBeaten || isLeft : trial.epoch === 0 && isBeaten;
  const isLate =
    study.elapsedMs >= study.maxTimeMs + OVERTIME_MS &&
    (trial.stoppingMs ?? 0) >= (trial.epoch === 0 || isBeaten ? OVERTIME_MS : STORING_MS);
  if (isPointless || isLate) return [{ kind: 'cancel-trial', trial }];
  return trial.stopRequested ? [] : [{ kind: 'stop-trial', trial, why }];
}

/**
 * The end of a trial in a rung is planned: while its learning rate is high, its scores show little. A family that is no network ends by
 * itself: a forest of small steps is good late, and grows quickly.
 */
function stopDecisions({ trials }: StudyView, advisor: Advisor): Action[] {
  const history = trials.map(historyOf);
  return trials
    .filter(
      ({ state, stopRequested, family, rung }) =>
        state === 'running' && !stopRequested && rung === null && !endsByItself(family),
    )
    .filter((trial) => advisor.decide(historyOf(trial), history) === 'stop')
    .map((trial) => ({ kind: 'stop-trial', trial, why: 'the advisor expects no more progress' }));
}

/** Trials that wait for a worker with their family, while there is none, and the study has other families. */
function stranded({ trials, search, someWorkers }: StudyView): Action[] {
  const isGone = (family: string): boolean => someWorkers?.get(family) === 0;
  if (search.families.every(({ name }) => isGone(name))) return [];
  const known = new Set(search.families.map(({ name }) => name));
  return cancelAll(trials.filter(({ state, family }) => state === 'waiting' && (isGone(family) || !known.has(family))));
}

function startTrials(view: StudyView, advisor: Advisor): Action[] {
  if (view.study.closed !== null) return cancelAll(view.trials.filter(({ state }) => state === 'waiting'));
  const failed = failedInRow(view.trials);
  if (failed.length >= MAX_FAILURES) return isOtherAtWork(view.trials, failed) ? [] : [closeAfter(failed, view)];
  const next = proposals(view, advisor);
  return Array.isArray(next) ? next.map((trial) => ({ kind: 'propose', trial })) : [{ kind: 'close', why: next.close }];
}

const isOpen = ({ state }: TrialRow): boolean => !trialEnded(state);

const cancelAll = (trials: readonly TrialRow[]): Action[] =>
  trials.filter(isOpen).map((trial) => ({ kind: 'cancel-trial', trial }));

/**
 * Errors for which other knobs or another family may help, or another worker: classes of connections, resources and the
 * system.
 */
const knobFaults = new Set(['22003', '22023', '38000', 'XX000', 'XX001']);
const isWorkerFault = ({ sqlstate }: ErrorReport): boolean => /^(08|53|58)/.test(sqlstate);

/** Why no trial can succeed: the data cannot be read or used, or too many trials failed in sequence. */
function hopelessError(trials: readonly TrialRow[]): ErrorReport | null {
  if (trials.some((trial) => trial.score !== null)) return null;
  const errors = trials.filter((trial) => trial.state === 'failed').flatMap((trial) => trial.error ?? []);
  const ofData = errors.find((error) => !knobFaults.has(error.sqlstate) && !isWorkerFault(error));
  if (ofData !== undefined) return ofData;
  const failed = trials.filter(({ state }) => state === 'failed');
  return errors.length >= MAX_FAILURES && !isOtherAtWork(trials, failed) ? mostCommon(errors) : null;
}

/** The trials that have failed since the last success, but those whose knobs alone were at fault: the advisor proposes others. */
function failedInRow(trials: readonly TrialRow[]): TrialRow[] {
  const sinceSuccess = trials.slice(trials.findLastIndex(isScored) + 1);
  return sinceSuccess.filter(({ state, error }) => state === 'failed' && !/^22(003|023)$/.test(error?.sqlstate ?? ''));
}

/** Whether a worker trains that has not failed: those that have may be on a broken machine. */
const isOtherAtWork = (trials: readonly TrialRow[], failed: readonly TrialRow[]): boolean =>
  trials.some(({ state, worker }) => state === 'running' && !failed.some((other) => other.worker === worker));

/** Without their errors: every role can compare what closes a study, and they may have values of rows. */
function closeAfter(failed: readonly TrialRow[], { study, trials }: StudyView): Action {
  const ended = trials.filter((trial) => !isOpen(trial)).length;
  const why = `Ended after ${ended} of ${study.maxTrials} trials: the last ${failed.length} failed; rafiki.trials has their errors.`;
  return { kind: 'close', why };
}

function endOf(study: Study, trials: readonly TrialRow[]): Action {
  if (trials.some(isScored)) return { kind: 'conclude' };
  const errors = trials.flatMap((trial) => trial.error ?? []);
  return { kind: 'fail', error: mostCommon(errors) ?? (study.finishRequested ? nothingToKeep : tooLittleTime(study)) };
}

function mostCommon(errors: readonly ErrorReport[]): ErrorReport | null {
  const count = (message: string): number => errors.filter((error) => error.message === message).length;
  const [first] = [...errors].sort((a, b) => count(b.message) - count(a.message));
  return first ?? null;
}

const nothingToKeep: ErrorReport = {
  sqlstate: '55000',
  message: 'the study was finished before a trial had a score',
  hint: 'Train again, and check rafiki.trials before you finish the study.',
};

const tooLittleTime = ({ maxTimeMs, waitedMs }: Study): ErrorReport => ({
  sqlstate: '57014',
  message: waitedMs >= QUEUE_MS ? 'no worker started a trial' : 'no trial was finished in time',
  detail:
    waitedMs >= QUEUE_MS
      ? `The study waited for ${Math.round(waitedMs / 3_600_000)} h.`
      : `max_time is ${maxTimeMs / 1000} s`,
  hint: 'Increase max_time, or start more workers with "rafiki worker"; rafiki.workers lists the running ones.',
});
