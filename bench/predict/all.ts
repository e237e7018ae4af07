import { readFileSync } from 'node:fs';
import type { Figure } from '../figure.ts';
import { compare, median, timed } from './measure.ts';
import { models, type Stage } from './stage.ts';

const { temporal_cnn: model } = models;
/** Rows of one array beside them: as many as the array form is measured with elsewhere. */
const ARRAY_ROWS = 10_000;
const MB = 2 ** 20;
/** The most that a process may grow by between the first tenth of the rows and the last. */
const MOST_GROWTH_MB = 50;

/** `rafiki_predict_all` on many short texts, none of them seen before: its speed beside the array form's, and what its processes grow by. */
export async function* predictAll({ session, admin }: Stage, rows: number): AsyncIterable<Figure> {
  await makeTexts(session, 'bench_all', rows);
  await makeTexts(session, 'bench_array', ARRAY_ROWS);
  const array = (round: number): string =>
    `select cardinality(rafiki_predict('${model}', array_agg(body || ' array ${round}'))) from bench_array`;
  const arrayMs: number[] = [];
  for (let round = -2; round < 3; round++) arrayMs.push(await timed(session, array(round)));
  const memory = new MemoryWatch(await processes(admin, session));
  const watching = setInterval(() => memory.look(), 500);
  const ms = await timed(session, `call rafiki_predict_all('${model}', 'bench_all', 'bench_predicted')`).finally(() =>
    clearInterval(watching),
  );
  for (let round = 3; round < 6; round++) arrayMs.push(await timed(session, array(round)));
  const [found] = await session.query<{ wrong: number }>(
    `select count(*)::int as wrong from bench_all a full join bench_predicted p using (id) where p.prediction is null or a.id is null`,
  );
  yield compare('predict-all', {
    value: (rows * 1000) / ms,
    unit: 'rows/s',
    peer: 'array form',
    peerValue: (ARRAY_ROWS * 1000) / median(arrayMs.slice(2)),
    bar: 0.75,
    least: true,
    note: `${rows} rows, ${found?.wrong ?? '?'} of them missing or too many`,
  });
  for (const { name, growthMb } of memory.growths()) {
    yield {
      bench: 'predict',
      name: `predict-all-${name}`,
      value: growthMb,
      unit: 'MB more',
      bar: MOST_GROWTH_MB,
      ok: growthMb <= MOST_GROWTH_MB,
    };
  }
}

async function makeTexts(session: Stage['session'], table: string, rows: number): Promise<void> {
  await session.query(`drop table if exists ${table}, bench_predicted`);
  await session.query(
    `create table ${table} as
     select i as id, concat_ws(' ', '${table}', i, 'w' || i % 4999, 'w' || i % 3001, 'positive' || i % 19, 'w' || i % 977) as body
     from generate_series(1, ${rows}) i`,
  );
  await session.query(`alter table ${table} add primary key (id)`);
  await session.query(`analyze ${table}`);
}

/** The backend that predicts, and the servers. */
async function processes(admin: Stage['admin'], session: Stage['session']): Promise<Map<string, number>> {
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

  /** By what the largest of the last tenth is above the largest of the first fifth: caches fill then. */
  growths(): { name: string; growthMb: number }[] {
    return [...this.#series].map(([name, series]) => {
      const first = series.slice(0, Math.ceil(series.length / 5));
      const last = series.slice(-Math.ceil(series.length / 10));
      return { name, growthMb: Number((Math.max(...last) - Math.max(...first)).toFixed(1)) };
    });
  }
}
