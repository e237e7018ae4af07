import { type ClaimedTrial, claimTrial } from '../../../src/db/statements/claims.ts';
import { insertProcess } from '../../../src/db/statements/processes.ts';
import { transitionTrial } from '../../../src/db/statements/transitions.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Figure } from '../../figure.ts';
import { insertStudy, type WorkedCluster } from './cluster.ts';

const WORKERS = 1_000;
const WAITING = 50_000;
const STUDIES = 4;
/** Doubling the connections gains less than this share beyond the bottleneck. */
const GAIN = 0.1;

export interface Claims {
  connections: readonly number[];
  windowMs: number;
}

/**
 * A thousand workers, each at a trial of its own, end it and claim the next as fast as Postgres lets them, over ever more
 * connections: claims per second, and from how many connections on more gain nothing. The bottleneck is the end of a
 * trial: it notifies, and Postgres commits notifying transactions one at a time.
 */
export async function* manyClaims(cluster: WorkedCluster, { connections, windowMs }: Claims): AsyncIterable<Figure> {
  const { db } = cluster;
  const workers = await prepare(cluster);
  const held = new Map<number, ClaimedTrial>();
  for (const id of workers) await next(cluster, held, id);
  await db.query('analyze rafiki.trial'); // as autovacuum would have by then
  const rates: { connections: number; rate: number }[] = [];
  for (const count of connections) {
    const { rate, medianMs, lateMs } = await measure(cluster, { workers, held, count, windowMs });
    rates.push({ connections: count, rate });
    const note = `${WORKERS} workers, ${STUDIES} studies; median ${medianMs.toFixed(1)} ms, 99 % in ${lateMs.toFixed(1)} ms`;
    yield { bench: 'tuning', name: `claims-${count}`, value: rate, unit: 'claims/s', ok: null, note };
  }
  const bend = rates.find(({ rate }, i) => (rates[i + 1]?.rate ?? rate) < rate * (1 + GAIN)) ?? rates.at(-1);
  yield {
    bench: 'tuning',
    name: 'claims-bend',
    value: bend?.connections ?? Number.NaN,
    unit: 'connections',
    ok: null,
    note: `${bend?.rate.toFixed(0)} claims/s: the next step brings less than ${100 * GAIN} % more`,
  };
  await db.query('delete from rafiki.study');
}

async function prepare(cluster: WorkedCluster): Promise<number[]> {
  const { db } = cluster;
  for (let number = 0; number < STUDIES; number++) {
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed)
       select $1, i, 'fasttext', '{}', i from generate_series(1, $2) i`,
      [await insertStudy(cluster, `claims_${number}`), WAITING / STUDIES],
    );
  }
  const row = { kind: 'worker', host: 'simulated', pid: 1, threads: 1, version: '0' } as const;
  return Promise.all(Array.from({ length: WORKERS }, () => insertProcess(cluster.service, row)));
}

/** Ends the worker's trial if it has one, and claims the next; returns the time of the claim. */
async function next({ service }: WorkedCluster, held: Map<number, ClaimedTrial>, id: number): Promise<number> {
  const owner = held.get(id);
  if (owner !== undefined) {
    await transitionTrial(
      { on: service, logger: silentLogger },
      { id: owner.trialId, from: 'running', event: 'complete', owner },
    );
  }
  const startedMs = performance.now();
  const trial = await claimTrial(service, id, { families: ['fasttext'] });
  const tookMs = performance.now() - startedMs;
  if (trial === undefined) held.delete(id);
  else held.set(id, trial);
  return tookMs;
}

interface ClaimLoad {
  workers: readonly number[];
  held: Map<number, ClaimedTrial>;
  count: number;
  windowMs: number;
}

async function measure(
  cluster: WorkedCluster,
  { workers, held, count, windowMs }: ClaimLoad,
): Promise<{ rate: number; medianMs: number; lateMs: number }> {
  const startedMs = performance.now();
  const times: number[] = [];
  const lane = async (own: readonly number[]): Promise<void> => {
    for (let i = 0; performance.now() - startedMs < windowMs; i++) {
      times.push(await next(cluster, held, own[i % own.length] ?? 0));
    }
  };
  const lanes = Array.from({ length: count }, (_, lane) => workers.filter((_, i) => i % count === lane));
  await Promise.all(lanes.map(lane));
  const seconds = (performance.now() - startedMs) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * times.length)] ?? Number.NaN;
  return { rate: times.length / seconds, medianMs: at(0.5), lateMs: at(0.99) };
}
