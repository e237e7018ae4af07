import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from '../src/db/database.ts';
import type { Figure } from './figure.ts';
import { callsPerSecond, hasPgbench, howToGetPgbench } from './predict/clients.ts';
import { models, type Stage, startStage } from './predict/stage.ts';

/** An accelerator as batches see it: 2 ms and 0.05 ms a row. */
const syntheticDevice = { RAFIKI_SYNTHETIC_DEVICE: '2+0.05' };

/** Predict calls from SQL, in every form, each beside its floor or its naive form from the same run. */
export async function* predictBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    yield* onStage(dataDir, {}, (stage) => cpuFigures(stage, quick));
    yield* onStage(dataDir, syntheticDevice, (stage) => syntheticFigures(stage, quick));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function* onStage(
  dataDir: string,
  env: NodeJS.ProcessEnv,
  measure: (stage: Stage) => AsyncIterable<Figure>,
): AsyncIterable<Figure> {
  const stage = await startStage(dataDir, env);
  try {
    yield* measure(stage);
  } finally {
    await stage.stop();
  }
}

async function* cpuFigures({ session, url }: Stage, quick: boolean): AsyncIterable<Figure> {
  yield* predictOne(session, quick ? 10 : 40);
  yield* scalarAndArray(session, quick ? 1 : 3);
  yield await clients(url, session, {
    name: 'predict-clients-32-cpu',
    model: models.temporal_cnn,
    seconds: quick ? 3 : 10,
    bar: 1.5,
    leastBatch: 0,
  });
}

async function* syntheticFigures({ session, url }: Stage, quick: boolean): AsyncIterable<Figure> {
  yield await readAhead(session, quick ? 500 : 2000);
  yield await clients(url, session, {
    name: 'predict-clients-32',
    model: models.temporal_cnn,
    seconds: quick ? 3 : 10,
    bar: 8,
    leastBatch: 8,
  });
}

/**
 * One call inside a session, first with the bridge on TCP like its peer, then as `rafiki up` has it, where a Unix socket
 * gives us an advantage that the peer does not have: that one has no bar.
 */
async function* predictOne(session: Database, rounds: number): AsyncIterable<Figure> {
  const [bridge] = await session.query<{ host: string }>('select host from rafiki.bridge_address');
  const host = bridge?.host ?? '127.0.0.1';
  await session.query(timerFunction);
  await session.query('set rafiki.read_ahead = off');
  await session.query(`select rafiki_dblink.dblink_connect('bench', $1)`, [session.url]);
  await reachBridge(session, '127.0.0.1');
  yield* oneCall(session, rounds);
  await reachBridge(session, host);
  for await (const figure of oneCall(session, rounds)) {
    const { bar: _, ...rest } = figure;
    yield { ...rest, name: `${figure.name}-up`, ok: null, note: `bridge at ${host}, peer on TCP; no bar` };
  }
  await session.query('reset rafiki.read_ahead');
}

/** Points the foreign server there; the session connects anew at its next call. */
async function reachBridge(session: Database, host: string): Promise<void> {
  await session.query(`alter server rafiki_bridge options (set host '${host}')`);
  await session.query(
    `select rafiki_dblink.dblink_disconnect('rafiki') where 'rafiki' = any (rafiki_dblink.dblink_get_connections())`,
  );
}

/**
 * A text that the server has not seen, and one that it has, against the cheapest dblink call there is, by turns.
 * Read-ahead is off: single calls are statements of their own, where it never begins.
 */
async function* oneCall(session: Database, rounds: number): AsyncIterable<Figure> {
  const salt = performance.now(); // no text of an earlier pass comes again
  const predict = (text: string): string => `select rafiki_predict('${models.fasttext}', ${text}) where $1 > 0`;
  const shapes = {
    unseen: (round: number) => predict(`'w1 w20 w300 positive4 w512 ${salt} ${round} ' || $1`),
    seen: () => predict(`'w1 w20 w300 positive4 w512'`),
    floor: () => `select v from rafiki_dblink.dblink('bench', 'select 1') as t(v text) where $1 > 0`,
  };
  const times = { unseen: [] as number[], seen: [] as number[], floor: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    for (const shape of ['unseen', 'seen', 'floor'] as const) {
      const [row] = await session.query<{ us: number[] }>('select pg_temp.bench_us($1, 100) as us', [
        shapes[shape](round),
      ]);
      if (round > 0) times[shape].push(...(row?.us ?? [])); // the first round warms up
    }
  }
  const peer = { unit: 'us', peer: "dblink 'select 1'", peerValue: median(times.floor), bar: 2.5, least: false };
  yield compare('predict-one', { value: median(times.unseen), ...peer });
  yield compare('predict-one-seen', { value: median(times.seen), ...peer });
}

/** Microseconds of each of `n` executions inside this session. */
const timerFunction = `
  create function pg_temp.bench_us(query text, n int) returns float8[] language plpgsql as $$
  declare
    times float8[] := '{}';
    began timestamptz;
    answer text;
  begin
    for i in 1..n loop
      began := clock_timestamp();
      execute query into answer using i;
      times := times || extract(epoch from clock_timestamp() - began)::float8 * 1e6;
    end loop;
    return times;
  end $$`;

/** 10,000 rows in the plain form and as one array, texts new each time, by turns; the median of the rounds. */
async function* scalarAndArray(session: Database, rounds: number): AsyncIterable<Figure> {
  const scalarMs: number[] = [];
  const arrayMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await freshTable(session, `scalar ${round}`, 10_000);
    scalarMs.push(await timed(session, `select count(rafiki_predict('${models.temporal_cnn}', body)) from bench_scan`));
    await freshTable(session, `array ${round}`, 10_000);
    arrayMs.push(
      await timed(
        session,
        `select cardinality(rafiki_predict('${models.temporal_cnn}', (select array_agg(body) from bench_scan)))`,
      ),
    );
  }
  const array = median(arrayMs);
  yield {
    bench: 'predict',
    name: 'predict-array',
    value: round3(10_000_000 / array),
    unit: 'rows/s',
    ok: null,
    note: 'temporal CNN; no bar',
  };
  yield compare('predict-scalar', {
    value: median(scalarMs),
    unit: 'ms',
    peer: 'array form',
    peerValue: array,
    bar: 1.6,
    least: false,
  });
}

/** The plain form with and without read-ahead, rows a second; without it fewer rows, since each waits for a batch of its own. */
async function readAhead(session: Database, naiveRows: number): Promise<Figure> {
  const scan = `select count(rafiki_predict('${models.temporal_cnn}', body)) from bench_scan`;
  await freshTable(session, 'off', naiveRows);
  await session.query('set rafiki.read_ahead = off');
  const offMs = await timed(session, scan);
  await freshTable(session, 'on', 10_000);
  await session.query('set rafiki.read_ahead = on');
  const onMs = await timed(session, scan);
  return compare('predict-scalar-synthetic', {
    value: 10_000_000 / onMs,
    unit: 'rows/s',
    peer: 'read_ahead = off',
    peerValue: (naiveRows * 1000) / offMs,
    bar: 8,
    least: true,
  });
}

interface ClientsOptions {
  name: string;
  model: string;
  seconds: number;
  bar: number;
  leastBatch: number;
}

/** 32 sessions with single-row calls against one. */
async function clients(
  url: string,
  session: Database,
  { name, model, seconds, bar, leastBatch }: ClientsOptions,
): Promise<Figure> {
  if (!(await hasPgbench()))
    return { bench: 'predict', name, value: 0, unit: 'calls/s', bar, ok: null, note: howToGetPgbench };
  const one = await callsPerSecond(url, model, { clients: 1, seconds });
  const before = await batches(session, model);
  const many = await callsPerSecond(url, model, { clients: 32, seconds });
  const after = await batches(session, model);
  const meanBatch = (after.rows - before.rows) / Math.max(1, after.batches - before.batches);
  const figure = compare(name, { value: many, unit: 'calls/s', peer: 'one client', peerValue: one, bar, least: true });
  return { ...figure, ok: figure.ok === true && meanBatch > leastBatch, note: `mean batch ${meanBatch.toFixed(1)}` };
}

/** Rows and batches so far; serving writes them every two seconds. */
async function batches(session: Database, model: string): Promise<{ rows: number; batches: number }> {
  await session.query('select pg_sleep(2.5)');
  const [row] = await session.query<{ rows: number; batches: number }>(
    `select coalesce(sum(rows - cached), 0)::float8 as rows, coalesce(sum(batches), 0)::float8 as batches
     from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id where m.name = $1`,
    [model],
  );
  return row ?? { rows: 0, batches: 0 };
}

/** The rows of bench_text made new by a word, so that no answer is in the cache. */
async function freshTable(session: Database, word: string, rows: number): Promise<void> {
  await session.query('drop table if exists bench_scan');
  await session.query(
    `create table bench_scan as select id, body || ' ' || $1::text as body from bench_text order by id limit $2`,
    [word, rows],
  );
  await session.query('analyze bench_scan');
}

async function timed(session: Database, sql: string): Promise<number> {
  const startedMs = performance.now();
  await session.query(sql);
  return performance.now() - startedMs;
}

interface Comparison {
  value: number;
  unit: string;
  peer: string;
  peerValue: number;
  bar: number;
  /** Whether the bar is the least that the ratio may be, not the most. */
  least: boolean;
}

function compare(name: string, { value, unit, peer, peerValue, bar, least }: Comparison): Figure {
  const ratio = value / peerValue;
  const ok = least ? ratio >= bar : ratio <= bar;
  return {
    bench: 'predict',
    name,
    value: round3(value),
    unit,
    peer,
    peerValue: round3(peerValue),
    ratio: round3(ratio),
    bar,
    ok,
  };
}

const round3 = (value: number): number => Number(value.toPrecision(3));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
