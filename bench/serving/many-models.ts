import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from '../../src/db/database.ts';
import { createRng, type Rng } from '../../src/runtime/rng.ts';
import { eventually } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';
import { models, startStage } from '../predict/stage.ts';
import { modulated } from './arrivals.ts';
import { openLoop, type ModelCall as Timed } from './open-loop.ts';
import { servingMemoryMb } from './serving-process.ts';
import { Sessions } from './sessions.ts';
import { mean, quantile } from './statistics.ts';
import { figure } from './table.ts';

export interface ManyModelsOptions {
  models: number;
  minutes: number;
}

/** Memory for one model in five, at the size of one that is called often. */
const SHARE_IN_MEMORY = 0.2;
/** Those whose calls are timed: the first tenth by traffic. */
const HOT_SHARE = 0.1;
/** Calls a second, over SQL. */
const RATE = 50;
const SESSIONS = 40;

interface Loads {
  rows: number;
  cold: number;
  loads: number;
  bytes: number;
}

interface Call {
  /** Rank of the model by traffic, from 0. */
  model: number;
  ok: boolean;
}

type TimedCall = Timed<Call>;

/** More models than fit into memory, called over SQL by Zipf's law: the effect of loading cold ones on hot ones. */
export async function* manyModelsFigures(options: ManyModelsOptions): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const bytes = await makeModels(dataDir, options.models);
    const fitting = Math.round(SHARE_IN_MEMORY * options.models);
    const budget = `${Math.ceil((fitting * bytes) / 1024)}kB`;
    const stage = await startStage(dataDir, { env: { RAFIKI_MODEL_MEMORY: budget } });
    try {
      yield* askAll({ ...options, fitting, db: stage.session, url: stage.url });
    } finally {
      await stage.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A trained temporal CNN under many names; the bytes of one in memory if it is called often. */
async function makeModels(dataDir: string, count: number): Promise<number> {
  const { session, admin, stop } = await startStage(dataDir);
  try {
    await admin.query(
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
    const bytes = (min: number): Promise<number> =>
      eventually(async () => {
        const [stat] = await session.query<{ bytes: number }>(
          `select s.bytes::float8 as bytes from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id
           where m.name = $1 and s.bytes > $2`,
          [models.temporal_cnn, min],
        );
        return stat?.bytes;
      });
    const single = await bytes(0);
    await session.query('select rafiki_predict($1, array_agg(body)) from (select body from bench_text limit 1000) t', [
      models.temporal_cnn,
    ]);
    return await bytes(single);
  } finally {
    await stop();
  }
}

/** Calls with new texts, in separate sessions for hot models: a call that waits for a cold one occupies none of those. */
class Askers {
  readonly #texts: readonly { body: string }[];
  readonly #hot: number;
  readonly #sessions: { hot: Sessions; cold: Sessions };
  #asked = 0;

  constructor(url: string, { texts, hot }: { texts: readonly { body: string }[]; hot: number }) {
    this.#texts = texts;
    this.#hot = hot;
    this.#sessions = { hot: new Sessions(url, SESSIONS), cold: new Sessions(url, SESSIONS) };
  }

  async ask(model: number): Promise<Call> {
    const text = `${this.#texts[this.#asked % this.#texts.length]?.body} ${this.#asked++}`;
    const answer = await this.#sessions[model < this.#hot ? 'hot' : 'cold'].with(Number.POSITIVE_INFINITY, (session) =>
      session
        .query('select rafiki_predict($1, $2)', [`many_${model}`, text])
        .then(() => true)
        .catch(() => false),
    );
    return { model, ok: answer === true };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sessions.hot.stop(), this.#sessions.cold.stop()]);
  }
}

interface ModelAsking extends ManyModelsOptions {
  fitting: number;
  db: Database;
  url: string;
}

/** First only the calls for hot models, then all of them. */
async function* askAll({ models: count, minutes, fitting, db, url }: ModelAsking): AsyncIterable<Figure> {
  const hot = Math.max(1, Math.round(HOT_SHARE * count));
  const texts = await db.query<{ body: string }>('select body from bench_text order by id');
  const askers = new Askers(url, { texts, hot });
  try {
    for (let model = count - 1; model >= 0; model--) await askers.ask(model); // each was loaded and measured once
    await Promise.all(Array.from({ length: 2 * SESSIONS }, (_, i) => askers.ask(i % 2 === 0 ? 0 : hot))); // all connected
    const calls = zipfCalls(count, minutes);
    const alone = await replay(
      calls.filter(({ model }) => model < hot),
      askers,
    );
    const before = await countLoads(db);
    const beforeMb = await servingMemoryMb(db);
    const all = await replay(calls, askers);
    yield* figuresOf({ all, alone, hot, fitting, before, after: await countLoads(db) });
    const note = `resident, of serving; ${beforeMb.toFixed(0)} MB before cold ones were asked`;
    yield { ...figure('models-memory', await servingMemoryMb(db), 'MB', {}), note };
  } finally {
    await askers.stop();
  }
}

/** Poisson arrivals, each for a model drawn by Zipf's law. */
function zipfCalls(count: number, minutes: number): { ms: number; model: number }[] {
  const load = { capacity: RATE / 1000, budgetMs: 1000, lengthMs: minutes * 60_000 };
  const arrivals = modulated(load, createRng(1), [{ rate: 1, stay: Number.MAX_SAFE_INTEGER }]);
  const draw = zipf(count, createRng(2));
  return [...arrivals].map((ms) => ({ ms, model: draw() }));
}

function replay(calls: readonly { ms: number; model: number }[], askers: Askers): Promise<TimedCall[]> {
  let next = 0;
  const arrivals = Float64Array.from(calls, ({ ms }) => ms);
  return openLoop(arrivals, () => askers.ask(calls[next++]?.model ?? 0));
}

interface CallOutcome {
  all: readonly TimedCall[];
  alone: readonly TimedCall[];
  hot: number;
  fitting: number;
  before: Loads;
  after: Loads;
}

function* figuresOf({ all, alone, hot, fitting, before, after }: CallOutcome): Iterable<Figure> {
  const p99 = (calls: readonly TimedCall[]): number =>
    quantile(
      calls.map(({ ms }) => ms),
      0.99,
    );
  const failed = mean(all.map(({ result }) => (result.ok ? 0 : 1)));
  yield { ...figure('models-failed', failed, 'of all', { max: 0 }), note: `${all.length} calls` };
  const cold = (after.cold - before.cold) / Math.max(1, after.rows - before.rows);
  const loads = `${after.loads - before.loads} loads; models take ${(after.bytes / 2 ** 20).toFixed(0)} MB`;
  yield { ...figure('models-hit', 1 - cold, 'of all', {}), note: `memory for ${fitting}; ${loads}` };
  yield { ...figure('models-p99', p99(all), 'ms', {}), note: 'of all calls' };
  const value = p99(all.filter(({ result }) => result.model < hot));
  const peer = { peer: 'no cold ones asked', peerValue: p99(alone), ratio: value / p99(alone) };
  const note = `of the ${hot} most called`;
  yield { bench: 'serving', name: 'models-hot-p99', value, unit: 'ms', ...peer, ok: null, note };
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

/** Serving's counters, which it writes every two seconds. */
async function countLoads(db: Database): Promise<Loads> {
  await db.query('select pg_sleep(2.5)');
  const [row] = await db.query<Loads>(
    `select sum(rows - cached)::float8 as rows, sum(cold)::float8 as cold, sum(loads)::float8 as loads,
       sum(bytes)::float8 as bytes from rafiki.predict_stat`,
  );
  return row ?? { rows: 0, cold: 0, loads: 0, bytes: 0 };
}
