import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Figure } from '../figure.ts';
import { byTurns, freshTable, roundsOf, timed } from '../predict/measure.ts';
import { models, type PredictStage } from '../predict/stage.ts';

const ROWS = 10_000;
const WRITERS = 4;
/** Interval of a writer's inserts. */
const PAUSE_MS = 5;
const DOWN_MS = 2_000;
const FILLED_MS = 120_000;

type Session = Pick<Database, 'query'>;

const round3 = (value: number): number => Number(value.toPrecision(3));

async function makeTable(session: Session, name: string, model?: string): Promise<void> {
  await session.query(`drop table if exists ${name}`);
  await session.query(`create table ${name} (id int primary key, body text, label text)`);
  if (model !== undefined) await session.query(`select rafiki_attach($1, $2, 'body', 'label')`, [model, name]);
}

/** Waits until each row has its prediction; returns the milliseconds. */
async function untilFilled(session: Session, name: string): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < FILLED_MS) {
    if ((await session.query(`select from ${name} where label is null limit 1`)).length === 0)
      return performance.now() - startedMs;
    await sleep(20);
  }
  throw new Error(`rows of ${name} are not filled within ${FILLED_MS} ms`);
}

/** INSERT … SELECT into an attached table until each row is predicted, compared with the array form and a plain INSERT … SELECT, in alternating rounds. */
export async function* inserts({ session }: PredictStage, quick: boolean): AsyncIterable<Figure> {
  await session.query(`set rafiki.fill_wait = '1s'`);
  for (const [family, model] of Object.entries(models)) {
    await makeTable(session, 'bench_plain');
    await makeTable(session, 'bench_attached', model);
    const times = { attached: [] as number[], parts: [] as number[] };
    let later = 0;
    for (let round = 0; round < roundsOf(quick) + 2; round++) {
      await session.query('truncate bench_plain, bench_attached');
      await freshTable(session, `parts ${round}`, ROWS);
      times.parts.push(
        (await timed(session, 'insert into bench_plain (id, body) select id, body from bench_scan')) +
          (await timed(
            session,
            `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan)))`,
          )),
      );
      await freshTable(session, `attached ${round}`, ROWS);
      const ms = await timed(session, 'insert into bench_attached (id, body) select id, body from bench_scan');
      const [open] = await session.query<{ rows: number }>(
        'select count(*)::int as rows from bench_attached where label is null',
      );
      later += open?.rows ?? 0;
      times.attached.push(ms + ((open?.rows ?? 0) > 0 ? await untilFilled(session, 'bench_attached') : 0));
    }
    const { value, peerValue, ratio } = byTurns(times.attached, times.parts);
    yield {
      bench: 'rows',
      name: `rows-insert-${family}`,
      value: round3(value),
      unit: 'ms',
      peer: 'array form + insert',
      peerValue: round3(peerValue as number),
      ratio: round3(ratio as number),
      bar: 1.5,
      ok: (ratio as number) <= 1.5,
      note: `${ROWS} rows; ${later} of all rounds were filled later`,
    };
  }
  await session.query('reset rafiki.fill_wait');
}

/** COPY of many rows: the rate until each is predicted, most of them after it has ended. */
export async function loads({ session, url }: PredictStage, rows: number): Promise<Figure> {
  await makeTable(session, 'bench_load', models.fasttext);
  const texts = await session.query<{ body: string }>('select body from bench_text order by id');
  const lines = Array.from({ length: rows }, (_, i) => `${i}\t${texts[i % texts.length]?.body} ${i}\n`);
  const loader = new Database({ url, application: 'bench', asUser: true, logger: silentLogger });
  const connection = await loader.connect(() => undefined);
  const startedMs = performance.now();
  await pipeline(Readable.from(lines), connection.client.query(copyFrom('copy bench_load (id, body) from stdin')));
  const insertMs = performance.now() - startedMs;
  await connection.close();
  await loader.stop();
  const filledMs = await untilFilled(session, 'bench_load');
  return {
    bench: 'rows',
    name: 'rows-load',
    value: Math.round((rows / (insertMs + filledMs)) * 1000),
    unit: 'rows/s',
    ok: null,
    note: `COPY of ${rows} rows: the statement ${Math.round(insertMs)} ms, the last row ${Math.round(filledMs)} ms later`,
  };
}

/** The latest one: rows of earlier ones remain for a while. It may just be restarting. */
async function killServer(admin: Session): Promise<void> {
  const sql = `select pid from rafiki.process where kind = 'serving' order by id desc limit 1`;
  const [server] = await admin.query<{ pid: number }>(sql);
  try {
    if (server !== undefined) process.kill(server.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The server is killed repeatedly while rows are written: the longest statement, and rows that were not filled exactly once. */
export async function* killed({ session, admin, url }: PredictStage, kills: number): AsyncIterable<Figure> {
  await makeTable(session, 'bench_killed', models.fasttext);
  await session.query('drop table if exists bench_fills');
  await session.query('create table bench_fills (id int)');
  await session.query(
    `create or replace function bench_note() returns trigger language plpgsql as
     'begin if tg_op = ''INSERT'' or old.label is null then insert into public.bench_fills values (new.id); end if; return null; end'`,
  );
  await session.query(
    `create trigger note after insert or update on bench_killed for each row when (new.label is not null) execute function bench_note()`,
  );
  const writing = { isOn: true, next: 1, longestMs: 0, failures: [] as string[] };
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const database = new Database({ url, application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger });
    const many = writer === 0;
    while (writing.isOn) {
      const rows = many ? 200 : 1;
      const first = writing.next;
      writing.next += rows;
      const sql = `insert into bench_killed (id, body) select i, 'w1 positive3 w' || i from generate_series($1::int, $2::int) i`;
      const startedMs = performance.now();
      await database
        .query(sql, [first, first + rows - 1])
        .catch((error: Error) => writing.failures.push(error.message));
      writing.longestMs = Math.max(writing.longestMs, performance.now() - startedMs);
      await sleep(many ? 20 * PAUSE_MS : PAUSE_MS);
    }
    await database.stop();
  });
  for (let kill = 0; kill < kills; kill++) {
    await sleep(DOWN_MS);
    await killServer(admin);
  }
  await sleep(DOWN_MS);
  writing.isOn = false;
  await Promise.all(writers);
  const filledMs = await untilFilled(session, 'bench_killed');
  const [counted] = await session.query<{ rows: number; strange: number }>(
    `select count(*)::int as rows, (count(*) filter (where f.fills is distinct from 1))::int as strange
     from bench_killed k left join (select id, count(*) as fills from bench_fills group by id) f using (id)`,
  );
  yield {
    bench: 'rows',
    name: 'rows-killed-longest',
    value: round3(writing.longestMs),
    unit: 'ms',
    bar: 1000,
    ok: writing.longestMs <= 1000 && writing.failures.length === 0,
    note: `${kills} kills; ${writing.failures.length} of the inserts failed${writing.failures[0] === undefined ? '' : `: ${writing.failures[0]}`}`,
  };
  yield {
    bench: 'rows',
    name: 'rows-killed-filled',
    value: counted?.strange ?? Number.NaN,
    unit: 'rows',
    bar: 0,
    ok: counted?.strange === 0,
    note: `of ${counted?.rows} not filled exactly once; the last ${Math.round(filledMs)} ms after the writers`,
  };
}
