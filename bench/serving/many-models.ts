import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from '../../src/db/database.ts';
import { createRng, type Rng } from '../../src/runtime/rng.ts';
import { eventually } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';
import { models, startStage } from '../predict/stage.ts';
import { modulated } from './arrivals.ts';
import { openLoop } from './open-loop.ts';
import { servingMemoryMb } from './serving-process.ts';
import { Sessions } from './sessions.ts';
import { mean, quantile } from './statistics.ts';
import { figure } from './table.ts';

export interface ManyModelsOptions {
  models: number;
  minutes: number;
}

/** One model in five has room. */
const SHARE_IN_MEMORY = 0.2;
/** Those whose calls are timed: the first tenth by traffic. */
const HOT_SHARE = 0.1;
/** Calls a second, over SQL. */
const RATE = 50;
/** Of those that ask hot models, and as many of the others: who waits for a cold one must not take a session from a hot one. */
const SESSIONS = 40;
const BUDGET_MS = 1000;

interface Call {
  /** Rank of the model by traffic, from 0. */
  model: number;
  ok: boolean;
}

/** More models than there is memory for, asked over SQL with Zipf's law: what hot ones feel of the loads of cold ones. */
export async function* manyModelsFigures(options: ManyModelsOptions): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const bytes = await makeModels(dataDir, options.models);
    const fitting = Math.round(SHARE_IN_MEMORY * options.models);
    const budget = `${Math.ceil((fitting * bytes) / 1024)}kB`;
    const stage = await startStage(dataDir, { RAFIKI_MODEL_MEMORY: budget });
    const sessions = new Sessions(stage.url, SESSIONS);
    try {
      yield* askAll({ ...options, fitting, db: stage.session, sessions });
    } finally {
      await sessions.stop();
      await stage.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A trained temporal CNN under so many names; the bytes that one takes in memory. */
async function makeModels(dataDir: string, count: number): Promise<number> {
  const { session, stop } = await startStage(dataDir);
  try {
    await session.query(
      `with many as (
         insert into rafiki.model (name, task, owner)
         select 'many_' || i, m.task, m.owner from generate_series(0, $1 - 1) i, rafiki.model m where m.name = $2 returning id),
       version as (
         insert into rafiki.model_version (model_id, version, score, accuracies, classes)
         select many.id, 1, v.score, v.accuracies, v.classes
         from many, rafiki.model_version v join rafiki.model m on m.id = v.model_id where m.name = $2 returning id, model_id),
       member as (
         insert into rafiki.model_member (version_id, rank, family, score, params_id)
         select version.id, b.rank, b.family, b.score, b.params_id
         from version, rafiki.model_member b join rafiki.model_version v on v.id = b.version_id
           join rafiki.model m on m.id = v.model_id where m.name = $2)
       insert into rafiki.deployment (model_id, version_id, state, ready_at) select model_id, id, 'ready', now() from version`,
      [count, models.temporal_cnn],
    );
    return await eventually(async () => {
      const [stat] = await session.query<{ bytes: number }>(
        `select s.bytes::float8 as bytes from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id
         where m.name = $1 and s.bytes > 0`,
        [models.temporal_cnn],
      );
      return stat?.bytes;
    });
  } finally {
    await stop();
  }
}

interface Asking extends ManyModelsOptions {
  fitting: number;
  db: Database;
  sessions: Sessions;
}

async function* askAll({ models: count, minutes, fitting, db, sessions }: Asking): AsyncIterable<Figure> {
  const rng = createRng(1);
  const texts = await db.query<{ body: string }>('select body from bench_text order by id');
  const hot = Math.max(1, Math.round(HOT_SHARE * count));
  let asked = 0;
  const ask = async (model: number): Promise<Call> => {
    const text = `${texts[asked % texts.length]?.body} ${asked++}`;
    const answer = await sessions.with(Number.POSITIVE_INFINITY, (session) =>
      session
        .query('select rafiki_predict($1, $2)', [`many_${model}`, text])
        .then(() => true)
        .catch(() => false),
    );
    return { model, ok: answer === true };
  };
  /** The same arrivals each time; those of models from `among` on are left out. */
  const run = async (among: number) => {
    const draw = zipf(count, createRng(2));
    const load = { capacity: RATE / 1000, budgetMs: BUDGET_MS, lengthMs: minutes * 60_000 };
    const arrivals = modulated(load, rng, [{ rate: 1, stay: Number.MAX_SAFE_INTEGER }]);
    const ranks = [...arrivals].map(draw);
    const kept = arrivals.filter((_, i) => (ranks[i] as number) < among);
    const wanted = ranks.filter((rank) => rank < among);
    let next = 0;
    return openLoop(kept, () => ask(wanted[next++] as number));
  };
  for (let model = count - 1; model >= 0; model--) await ask(model); // each was loaded and measured once
  const alone = await run(hot);
  const before = await countLoads(db);
  const calls = await run(count);
  const after = await countLoads(db);
  const memoryMb = await servingMemoryMb(db);
  const p99 = (of: typeof calls): number =>
    quantile(
      of.filter(({ result }) => result.model < hot).map(({ ms }) => ms),
      0.99,
    );
  const failed = mean(calls.map(({ result }) => (result.ok ? 0 : 1)));
  const cold = (after.cold - before.cold) / Math.max(1, after.rows - before.rows);
  yield { ...figure('models-failed', failed, 'of all', { most: 0 }), note: `${calls.length} calls of ${count} models` };
  yield {
    ...figure('models-hit', 1 - cold, 'of all', {}),
    note: `memory for ${fitting}; ${after.loads - before.loads} loads; the ${fitting} most asked are ${zipfShare(count, fitting).toFixed(3)} of all`,
  };
  yield {
    ...figure(
      'models-p99',
      quantile(
        calls.map(({ ms }) => ms),
        0.99,
      ),
      'ms',
      {},
    ),
    note: 'of all calls',
  };
  const [value, peerValue] = [p99(calls), p99(alone)];
  const peer = { peer: 'no cold ones asked', peerValue, ratio: value / peerValue };
  yield {
    bench: 'serving',
    name: 'models-hot-p99',
    value,
    unit: 'ms',
    ...peer,
    ok: null,
    note: `of the ${hot} most asked`,
  };
  yield {
    ...figure('models-memory', memoryMb, 'MB', {}),
    note: `resident, of serving; models ${(after.bytes / 2 ** 20).toFixed(0)} MB`,
  };
}

/** Draws ranks from 0 with chances in proportion to 1 / (rank + 1). */
function zipf(count: number, rng: Rng): () => number {
  const weights = Array.from({ length: count }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((a, b) => a + b, 0);
  return () => {
    let left = rng.uniform() * total;
    for (const [rank, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return rank;
    }
    return count - 1;
  };
}

function zipfShare(count: number, first: number): number {
  const weights = Array.from({ length: count }, (_, rank) => 1 / (rank + 1));
  const sum = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0);
  return sum(weights.slice(0, first)) / sum(weights);
}

/** What serving counted so far; it writes every two seconds. */
async function countLoads(db: Database): Promise<{ rows: number; cold: number; loads: number; bytes: number }> {
  await db.query('select pg_sleep(2.5)');
  const [row] = await db.query<{ rows: number; cold: number; loads: number; bytes: number }>(
    `select sum(rows - cached)::float8 as rows, sum(cold)::float8 as cold, sum(loads)::float8 as loads,
       sum(bytes)::float8 as bytes from rafiki.predict_stat`,
  );
  return row ?? { rows: 0, cold: 0, loads: 0, bytes: 0 };
}
