import { readFileSync } from 'node:fs';
import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';
import { byTurns, compare, median, timed } from './measure.ts';
import { models, type PredictStage } from './stage.ts';

const { temporal_cnn: model } = models;
/** Rows of the array that it is compared with: as many as elsewhere. */
const ARRAY_ROWS = 10_000;
const MB = 2 ** 20;
/** Maximum growth of a process between the first tenth of the rows and the last. */
const MAX_GROWTH_MB = 50;

const call = `call rafiki_predict_all('${model}', 'bench_all', 'bench_predicted')`;
const array = `select cardinality(rafiki_predict('${model}', array_agg(body))) from bench_array`;

/** Rows of one call whose speed is measured. */
const CALL_ROWS = 100_000;

/** `rafiki_predict_all` on short texts, all of them new: its speed compared with the array form's, in alternating rounds. */
async function speed(session: Database, rounds: number): Promise<Figure> {
  const times = { all: [] as number[], array: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    await makeTexts(session, 'bench_all', CALL_ROWS, `all ${round}`);
    times.all.push((await timed(session, call)) / CALL_ROWS);
    const arrays: number[] = [];
    for (let again = 0; again < 3; again++) {
      await makeTexts(session, 'bench_array', ARRAY_ROWS, `array ${round} ${again}`);
      arrays.push((await timed(session, array)) / ARRAY_ROWS);
    }
    times.array.push(median(arrays));
  }
  const { value, peerValue, ratio } = byTurns(times.all, times.array);
  const speeds = {
    value: 1000 / value,
    unit: 'rows/s',
    peer: 'array form',
    peerValue: 1000 / peerValue,
    ratio: 1 / (ratio ?? Number.NaN),
  };
  return compare('predict-all', { ...speeds, bar: 0.75, min: true });
}

/** The figures of `bench predict --all`: speed, then one call on a million rows and the growth of its processes. */
export async function* predictAll(
  { session, admin }: PredictStage,
  { rows, rounds }: { rows: number; rounds: number },
): AsyncIterable<Figure> {
  yield await speed(session, rounds);
  await makeTexts(session, 'bench_all', rows, 'memory');
  const memory = new MemoryWatch(await processes(admin, session));
  const watching = setInterval(() => memory.look(), 500);
  const ms = await timed(session, call).finally(() => clearInterval(watching));
  const [found] = await session.query<{ wrong: number }>(
    `select count(*)::int as wrong from bench_all a full join bench_predicted p using (id) where p.prediction is null or a.id is null`,
  );
  const wrong = found?.wrong ?? Number.NaN;
  yield {
    bench: 'predict',
    name: 'predict-all-wrong',
    value: wrong,
    unit: 'rows',
    bar: 0,
    ok: wrong === 0,
    note: `of ${rows}, in ${Math.round(ms / 1000)} s`,
  };
  for (const { name, growthMb } of memory.growths()) {
    yield {
      bench: 'predict',
      name: `predict-all-${name}`,
      value: growthMb,
      unit: 'MB more',
      bar: MAX_GROWTH_MB,
      ok: growthMb <= MAX_GROWTH_MB,
    };
  }
}

async function makeTexts(session: Database, table: string, rows: number, word: string): Promise<void> {
  await session.query(`drop table if exists ${table}, bench_predicted`);
  await session.query(
    `create table ${table} as
     select i as id, concat_ws(' ', '${word}', i, 'w' || i % 4999, 'w' || i % 3001, 'positive' || i % 19, 'w' || i % 977) as body
     from generate_series(1, ${rows}) i`,
  );
  await session.query(`alter table ${table} add primary key (id)`);
  await session.query(`analyze ${table}`);
}

/** The backend that predicts, and the servers. */
async function processes(admin: Database, session: Database): Promise<Map<string, number>> {
  const [backend] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
  const servers = await admin.query<{ pid: number }>(
    `select pid from rafiki.process where kind = 'serving' order by id`,
  );
  const found = new Map([['backend', backend?.pid ?? 0]]);
  for (const [place, { pid }] of servers.entries()) found.set(place === 0 ? 'server' : `server ${place + 1}`, pid);
  return found;
}

/** Private memory of processes over time. */
class MemoryWatch {
  readonly #series = new Map<string, number[]>();
  readonly #pids: Map<string, number>;

  constructor(pids: Map<string, number>) {
    this.#pids = pids;
  }

  look(): void {
    for (const [name, pid] of this.#pids) {
      const series = this.#series.get(name) ?? [];
      this.#series.set(name, series);
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      series.push((Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024) / MB);
    }
  }

  /** The maximum of the last tenth minus the maximum of the first fifth, in which caches fill. */
  growths(): { name: string; growthMb: number }[] {
    return [...this.#series].map(([name, series]) => {
      const first = series.slice(0, Math.ceil(series.length / 5));
      const last = series.slice(-Math.ceil(series.length / 10));
      return { name, growthMb: Number((Math.max(...last) - Math.max(...first)).toFixed(1)) };
    });
  }
}
