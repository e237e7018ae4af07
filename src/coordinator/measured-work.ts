import type { Database } from '../db/database.ts';
import { selectWorkCounts, selectWorkOutcomes, type WorkOutcomes } from '../db/statements/processes.ts';
import type { Measured } from '../runtime/measured.ts';
import { recent } from '../runtime/recent.ts';

/** Outcomes cost more than what the indexes of open work show. Prometheus asks several times a minute. */
const OUTCOMES_EVERY_MS = 60_000;

/** What a coordinator measures: only the leading one counts the work of the database, so that sums over processes are right. */
export class MeasuredWork {
  readonly #database: Database;
  /** None if a table is locked, for example: the rest is measured. */
  readonly #outcomes: () => Promise<WorkOutcomes | undefined>;

  constructor(database: Database) {
    this.#database = database;
    this.#outcomes = recent<WorkOutcomes | undefined>(() => selectWorkOutcomes(database), OUTCOMES_EVERY_MS, undefined);
  }

  async measured(isLeading: boolean): Promise<Measured[]> {
    const leading: Measured = {
      name: 'rafiki_coordinator_leading',
      help: '1 in the coordinator that acts, 0 in those that stand by.',
      kind: 'gauge',
      values: [{ labels: {}, value: isLeading ? 1 : 0 }],
    };
    if (!isLeading) return [leading];
    const counts = await selectWorkCounts(this.#database);
    const outcomes = await this.#outcomes();
    return [
      leading,
      byState('rafiki_studies', 'Studies that are not done.', {
        queued: counts.queuedStudies,
        running: counts.runningStudies,
      }),
      byState('rafiki_trials', 'Trials that are not done: those that wait need a worker, so none of a paused study.', {
        waiting: counts.waitingTrials,
        running: counts.runningTrials,
      }),
      ...(outcomes === undefined ? [] : measuredOutcomes(outcomes)),
    ];
  }
}

/** Each state has a value: a board shows zero, not nothing. */
function measuredOutcomes(outcomes: WorkOutcomes): Measured[] {
  const { studies, trials, deployments, imports, lostAttempts, fillLagSeconds, fillRows, blobBytes } = outcomes;
  return [
    byState('rafiki_recent_studies', 'Studies that ended within the last hour.', {
      ...{ completed: 0, failed: 0, cancelled: 0 },
      ...studies,
    }),
    byState('rafiki_recent_trials', 'Trials that ended within the last hour.', {
      ...{ completed: 0, stopped: 0, failed: 0, cancelled: 0 },
      ...trials,
    }),
    {
      name: 'rafiki_recent_lost_attempts',
      help: 'Lost attempts at the trials of studies that are open, or ended within the last hour.',
      kind: 'gauge',
      values: [{ labels: {}, value: lostAttempts }],
    },
    byState('rafiki_deployments', 'Models by the state of their last deployment, failed ones for a day.', {
      ...{ loading: 0, ready: 0, retired: 0, failed: 0 },
      ...deployments,
    }),
    byState('rafiki_imports', 'Imports that wait for their check, or are being checked.', {
      ...{ queued: 0, checking: 0 },
      ...imports,
    }),
    {
      name: 'rafiki_fill_lag_seconds',
      help: 'How long rows of attached tables have been waiting, in the table that waits longest.',
      kind: 'gauge',
      values: [{ labels: {}, value: fillLagSeconds }],
    },
    {
      name: 'rafiki_fill_waiting_rows',
      help: 'About how many rows of attached tables wait.',
      kind: 'gauge',
      values: [{ labels: {}, value: fillRows }],
    },
    {
      name: 'rafiki_blob_bytes',
      help: 'Disk space of the weights in the database.',
      kind: 'gauge',
      values: [{ labels: {}, value: blobBytes }],
    },
  ];
}

const byState = (name: string, help: string, states: Readonly<Record<string, number>>): Measured => ({
  ...{ name, help, kind: 'gauge' },
  values: Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
});
