import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createCoordinator } from '../../../src/coordinator/create-coordinator.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Figure } from '../../figure.ts';
import { insertStudy, type WorkedCluster } from './cluster.ts';
import { type Spent, spentSoFar } from './cost.ts';

/** Minimum share of the linear throughput. */
const BAR = 0.95;
const PROCESSES = 8;
/** From the first trial of all workers to the first that counts. */
const SETTLE_TRIALS = 2;
const LOOK_MS = 50;
/** Until a trial that sleeps has ended for certain, in lengths of a trial. */
const LONGEST = 1.5;
const script = fileURLToPath(new URL('./sleepers.ts', import.meta.url));

export interface Sleeping {
  counts: readonly number[];
  trialMs: number;
  windowMs: number;
}

/** Trials per second of an increasing number of workers with sleeping trials, compared with workers that only sleep. */
export async function* sleepingWorkers(
  cluster: WorkedCluster,
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

/**
 * Seconds that trials slept within a window, and the mean length of one. Ends are not counted: workers that began together
 * end in bursts, and a window of five trials would show 0.97 ± 0.03 of linear for workers that lose no time.
 */
async function sleepWithin(
  { db }: WorkedCluster,
  study: number,
  { from, to }: { from: Date; to: Date },
): Promise<{ asleep: number; each: number }> {
  const [row] = await db.query<{ asleep: number; each: number }>(
    `select sum(extract(epoch from least(ended_at, $3) - greatest(ended_at - seconds * interval '1 s', $2)))::float8 as asleep,
       avg(seconds) as each
     from rafiki.trial where study_id = $1 and ended_at > $2 and ended_at - seconds * interval '1 s' < $3`,
    [study, from, to],
  );
  return row ?? { asleep: Number.NaN, each: Number.NaN };
}

interface SleepingRun {
  workers: number;
  trialMs: number;
  windowMs: number;
}

interface MeasuredClaims {
  rate: number;
  /** Without anything between two trials. */
  linear: number;
  cost: string;
}

async function measure(cluster: WorkedCluster, run: SleepingRun): Promise<MeasuredClaims> {
  const { db, service, pid } = cluster;
  const coordinator = createCoordinator({ database: service, logger: silentLogger });
  const study = await insertStudy(cluster, `sleep_${run.workers}`);
  await coordinator.start();
  const processes = startSleepers(service.url, run);
  try {
    await untilSettled(cluster, study, run.workers);
    const before = await spentSoFar(db, pid);
    const first = await ended(cluster, study);
    const from = new Date();
    await sleep(run.windowMs);
    const to = new Date();
    const cost = costOf(before, await spentSoFar(db, pid), (await ended(cluster, study)) - first);
    await sleep(LONGEST * run.trialMs); // trials that sleep at the end of the window count as well
    const { asleep, each } = await sleepWithin(cluster, study, { from, to });
    const seconds = (to.getTime() - from.getTime()) / 1000;
    return { rate: asleep / each / seconds, linear: run.workers / each, cost };
  } finally {
    await Promise.all(processes.map(endProcess));
    await coordinator.stop();
    await db.query('delete from rafiki.study');
    await db.query('delete from rafiki.process');
  }
}

function startSleepers(url: string, { workers, trialMs }: SleepingRun): ChildProcess[] {
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

async function untilSettled(cluster: WorkedCluster, study: number, workers: number): Promise<void> {
  while ((await ended(cluster, study)) < SETTLE_TRIALS * workers) await sleep(LOOK_MS);
}

async function ended({ db }: WorkedCluster, study: number): Promise<number> {
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
