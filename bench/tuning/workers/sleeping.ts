import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createCoordinator } from '../../../src/coordinator/create-coordinator.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Figure } from '../../figure.ts';
import { type BenchCluster, insertStudy } from './cluster.ts';
import { type Spent, spentSoFar } from './cost.ts';

/** Share of the linear throughput that is to be kept. */
const BAR = 0.95;
const PROCESSES = 8;
/** From the first trial of all workers to the first that counts. */
const SETTLE_TRIALS = 2;
const LOOK_MS = 50;
const script = fileURLToPath(new URL('./sleepers.ts', import.meta.url));

export interface Sleeping {
  counts: readonly number[];
  trialMs: number;
  windowMs: number;
}

/** Trials a second of ever more workers whose trials sleep, against those of workers that do nothing but sleep. */
export async function* sleepingWorkers(
  cluster: BenchCluster,
  { counts, trialMs, windowMs }: Sleeping,
): AsyncIterable<Figure> {
  for (const workers of counts) {
    const { rate, linear, cost } = await measure(cluster, { workers, trialMs, windowMs });
    const ratio = rate / linear;
    yield {
      bench: 'tuning',
      name: `workers-${workers}`,
      value: rate,
      unit: 'trials/s',
      peer: 'linear',
      peerValue: linear,
      ratio,
      bar: BAR,
      ok: ratio >= BAR,
      note: cost,
    };
  }
}

/** From the end of the nth trial to that of the newest: trials, seconds, and the mean of the seconds that one of them slept. */
async function since(
  { db }: BenchCluster,
  study: number,
  first: number,
): Promise<{ trials: number; seconds: number; asleep: number }> {
  const [row] = await db.query<{ trials: number; seconds: number; asleep: number }>(
    `select count(*)::int - 1 as trials, extract(epoch from max(ended_at) - min(ended_at))::float8 as seconds, avg(seconds) as asleep
     from (select ended_at, seconds from rafiki.trial where study_id = $1 and ended_at is not null
           order by ended_at offset $2) t`,
    [study, Math.max(0, first - 1)],
  );
  return row ?? { trials: 0, seconds: 0, asleep: 0 };
}

interface Run {
  workers: number;
  trialMs: number;
  windowMs: number;
}

interface Measured {
  rate: number;
  /** Without anything between two trials. */
  linear: number;
  cost: string;
}

async function measure(cluster: BenchCluster, run: Run): Promise<Measured> {
  const { db, url, pid } = cluster;
  const coordinator = createCoordinator({ database: db, logger: silentLogger });
  const study = await insertStudy(cluster, `sleep_${run.workers}`);
  await coordinator.start();
  const processes = startSleepers(url, run);
  try {
    await untilSettled(cluster, study, run.workers);
    const before = await spentSoFar(db, pid);
    const first = await ended(cluster, study);
    await sleep(run.windowMs);
    const cost = costOf(before, await spentSoFar(db, pid), (await ended(cluster, study)) - first);
    const { trials, seconds, asleep } = await since(cluster, study, first);
    return { rate: trials / seconds, linear: run.workers / asleep, cost };
  } finally {
    await Promise.all(processes.map(endProcess));
    await coordinator.stop();
    await db.query('delete from rafiki.study');
    await db.query('delete from rafiki.process');
  }
}

function startSleepers(url: string, { workers, trialMs }: Run): ChildProcess[] {
  const processes = Math.min(workers, PROCESSES);
  return Array.from({ length: processes }, (_, i) => {
    const share = Math.floor((workers + i) / processes);
    return fork(script, [url, String(share), String(trialMs)]);
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await gone;
}

async function untilSettled(cluster: BenchCluster, study: number, workers: number): Promise<void> {
  while ((await ended(cluster, study)) < SETTLE_TRIALS * workers) await sleep(LOOK_MS);
}

async function ended({ db }: BenchCluster, study: number): Promise<number> {
  const sql = 'select count(ended_at)::int as trials from rafiki.trial where study_id = $1';
  const [row] = await db.query<{ trials: number }>(sql, [study]);
  return row?.trials ?? 0;
}

function costOf(before: Spent, after: Spent, trials: number): string {
  const each = (what: 'coordinatorMs' | 'transactions' | 'walBytes'): string =>
    ((after[what] - before[what]) / trials).toFixed(1);
  const postgresMs =
    before.postgresMs === null || after.postgresMs === null
      ? '?'
      : ((after.postgresMs - before.postgresMs) / trials).toFixed(1);
  return (
    `each trial: coordinator ${each('coordinatorMs')} CPU ms, Postgres ${postgresMs} CPU ms, ` +
    `${each('transactions')} transactions, ${(Number(each('walBytes')) / 1024).toFixed(1)} KiB WAL`
  );
}
