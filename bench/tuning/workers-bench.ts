import type { Figure } from '../figure.ts';
import { manyClaims } from './workers/claims.ts';
import { startWorkedCluster } from './workers/cluster.ts';
import { sleepingWorkers } from './workers/sleeping.ts';

/** How far trials scale with workers, what each costs the coordinator and Postgres, and how many claims Postgres takes. */
export async function* workersBench(quick: boolean): AsyncIterable<Figure> {
  const cluster = await startWorkedCluster();
  try {
    yield* sleepingWorkers(cluster, {
      counts: quick ? [1, 4, 16, 64] : [1, 2, 4, 8, 16, 32, 64],
      trialMs: 2_000,
      windowMs: quick ? 10_000 : 60_000,
    });
    yield* manyClaims(cluster, {
      connections: quick ? [1, 8, 64] : [1, 2, 4, 8, 16, 32, 64],
      windowMs: quick ? 3_000 : 10_000,
    });
  } finally {
    await cluster.stop();
  }
}
