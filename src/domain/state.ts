/**
 * The next state after an event, for transitions made in TypeScript; `null`: the event is refused. Claiming a trial and
 * cancelling by users have their own statements.
 */
export type StudyState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
export type StudyEvent = 'start' | 'complete' | 'fail' | 'cancel';

export type TrialState = 'waiting' | 'running' | 'completed' | 'stopped' | 'failed' | 'cancelled';
export type TrialEvent = 'complete' | 'stop' | 'fail' | 'cancel' | 'lose-lease';

export type DeploymentState = 'loading' | 'ready' | 'retired' | 'failed';
export type DeploymentEvent = 'load' | 'retire' | 'fail';

type StateTable<S extends string, E extends string> = Record<S, Record<E, S | null>>;

const refuseAll = { start: null, complete: null, fail: null, cancel: null } as const;

export const studyTable: StateTable<StudyState, StudyEvent> = {
  queued: { start: 'running', complete: null, fail: 'failed', cancel: 'cancelled' },
  running: { start: null, complete: 'completed', fail: 'failed', cancel: 'cancelled' },
  completed: refuseAll,
  failed: refuseAll,
  cancelled: refuseAll,
};

const refuseTrial = { complete: null, stop: null, fail: null, cancel: null, 'lose-lease': null } as const;

export const trialTable: StateTable<TrialState, TrialEvent> = {
  waiting: { complete: null, stop: null, fail: 'failed', cancel: 'cancelled', 'lose-lease': null },
  running: {
    complete: 'completed',
    stop: 'stopped',
    fail: 'failed',
    cancel: 'cancelled',
    'lose-lease': 'waiting',
  },
  completed: refuseTrial,
  stopped: refuseTrial,
  failed: refuseTrial,
  cancelled: refuseTrial,
};

export const deploymentTable: StateTable<DeploymentState, DeploymentEvent> = {
  loading: { load: 'ready', retire: 'retired', fail: 'failed' },
  ready: { load: null, retire: 'retired', fail: 'failed' },
  retired: { load: null, retire: null, fail: null },
  failed: { load: null, retire: 'retired', fail: null },
};

/** The state after `event`, or null if the event is refused. */
export function transition<S extends string, E extends string>(table: StateTable<S, E>, state: S, event: E): S | null {
  return table[state][event];
}

export const studyEnded = (state: StudyState): boolean =>
  Object.values(studyTable[state]).every((next) => next === null);
export const trialEnded = (state: TrialState): boolean =>
  Object.values(trialTable[state]).every((next) => next === null);
