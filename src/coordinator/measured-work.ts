import type { Database } from '../db/database.ts';
import { selectWorkCounts } from '../db/statements/processes.ts';
import type { Measured } from '../runtime/measured.ts';

/** What a coordinator measures: only the leading one counts the work of the database, so that sums over processes are right. */
export async function measuredWork(database: Database, isLeading: boolean): Promise<Measured[]> {
  const leading: Measured = {
    name: 'rafiki_coordinator_leading',
    help: '1 in the coordinator that acts, 0 in those that stand by.',
    kind: 'gauge',
    values: [{ labels: {}, value: isLeading ? 1 : 0 }],
  };
  if (!isLeading) return [leading];
  const counts = await selectWorkCounts(database);
  const byState = (name: string, help: string, states: Readonly<Record<string, number>>): Measured => ({
    ...{ name, help, kind: 'gauge' },
    values: Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
  });
  return [
    leading,
    byState('rafiki_studies', 'Studies that are not done.', {
      queued: counts.queuedStudies,
      running: counts.runningStudies,
    }),
    byState('rafiki_trials', 'Trials that are not done: those that wait need a worker.', {
      waiting: counts.waitingTrials,
      running: counts.runningTrials,
    }),
  ];
}
