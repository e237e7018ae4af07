import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Database } from '../../src/db/database.ts';
import { familiesFor } from '../../src/models/registry.ts';
import type { Figure } from '../figure.ts';
import { byTurns, compare, freshTable, median, roundsOf, settled, timed } from './measure.ts';
import { timerFunction } from './one-call.ts';
import { missingPeer } from './peer-stage.ts';
import { encodedBatches, RawRuns, trainedModel } from './raw.ts';
import { completed, models, type PredictStage } from './stage.ts';
import { type PeerForm, RowsPeer } from './tables-peer.ts';

const ROWS = 10_000;
const file = path.join(process.env['RAFIKI_DATA'] ?? '../shared/data', 'tabular/adult/train.csv');
const model = 'bench_adult';

/** What to do if the rows of Adult are not on this machine. */
export const adultIsMissing = existsSync(file)
  ? undefined
  : `${file} is missing: set RAFIKI_DATA to the folder that holds the folder tabular`;

/** Trees if there are any, of the size that the target names. */
const hasTrees = familiesFor('tabular_classification').some(({ name }) => name === 'gradient_boosting');
const family = hasTrees ? 'gradient_boosting' : 'linear';
const knobs = hasTrees ? { epochs: 100, leaves: 31 } : {};

/** Larger than in serving: fewer calls. */
const RAW_BATCH_ROWS = 1000;

const sql = {
  bulk: `select cardinality(rafiki_predict_many('${model}', (select array_agg(to_json(r)::text) from bench_rows r)))`,
  jsonb: `select cardinality(rafiki_predict_rows('${model}', (select array_agg(to_jsonb(r)) from bench_rows r)))`,
  plain: `select count(rafiki_predict('${model}', r)) from bench_rows r`,
};

/** What Postgres does for the bulk form beside the request. */
const parts: Readonly<Record<string, string>> = {
  'rows-as-json': 'select count(to_json(r)) from bench_rows r',
  'rows-as-jsonb': 'select count(to_jsonb(r)) from bench_rows r',
  'array-of-jsonb': 'select cardinality(array_agg(to_jsonb(r))) from bench_rows r',
  'array-of-texts': 'select cardinality(array_agg(to_json(r)::text)) from bench_rows r',
  'jsonb-to-text': 'select cardinality(rows::text[]) from bench_array',
  'texts-to-json': 'select length(array_to_json(texts)::text) from bench_array',
  'texts-packed': 'select length(rafiki._packed(texts)) from bench_array',
};

/** Predicts rows of Adult in each form: 10,000 rows, new each time, in alternating rounds; and one call. */
export async function* tableFigures(stage: PredictStage, peerDir: string, quick: boolean): AsyncIterable<Figure> {
  const { session } = stage;
  if (adultIsMissing !== undefined) {
    yield { bench: 'predict', name: 'table-bulk', value: 0, unit: 'ms', ok: null, note: adultIsMissing };
    return;
  }
  await train(session);
  await freshRows(session, -1);
  const note = missingPeer();
  if (note !== null) yield { bench: 'predict', name: 'table-peer', value: 0, unit: 'ms', ok: null, note };
  const peer = note === null ? await RowsPeer.start(stage, peerDir, model) : null;
  try {
    yield* forms(stage, peer, roundsOf(quick));
  } finally {
    await peer?.stop();
  }
  yield* oneRow(session, quick ? 4 : 20);
  yield* bulkParts(session, quick ? 3 : 9);
}

async function train(session: Database): Promise<void> {
  await loadAdult(session);
  await trainOn(session, { model, families: [family], knobs });
}

/** Trains a model on the view bench_learnt, a trial of each family. */
export async function trainOn(
  session: Database,
  { model, families, knobs }: { model: string; families: readonly string[]; knobs: Record<string, number> },
): Promise<void> {
  await completed(
    session,
    `select rafiki_train('tabular_classification', 'bench_learnt', model => $1, families => $2, knobs => $3, max_trials => $4,
       target => 'income', seed => 1) as id`,
    [model, families, JSON.stringify(knobs), families.length],
  );
}

/** The table bench_adult, and the view bench_learnt of its first 8,000 rows. */
export async function loadAdult(session: Database): Promise<void> {
  const [header = [], ...rows] = parse(readFileSync(file)) as string[][];
  const typeOf = (c: number): string => (rows.every((row) => /^-?\d*$/.test(row[c] ?? '')) ? 'int' : 'text');
  const columns = header.map((name, c) => `"${name}" ${typeOf(c)}`);
  await session.query(`create table bench_adult (id int generated always as identity primary key, ${columns.join()})`);
  const values = header.map((_, c) => `nullif(v[${c + 1}], '')::${typeOf(c)}`);
  const names = header.map((name) => `"${name}"`);
  await session.query(
    `insert into bench_adult (${names.join()}) select ${values.join()} from jsonb_array_elements($1::jsonb) e,
       lateral (select array(select jsonb_array_elements_text(e)) as v) t`,
    [JSON.stringify(rows)],
  );
  await session.query('create view bench_learnt as select * from bench_adult where id <= 8000');
}

/** Changes a number in each row, so that no answer is cached. */
async function freshRows(session: Database, round: number): Promise<void> {
  await session.query('drop table if exists bench_rows');
  await session.query('create table bench_rows as select * from bench_adult order by id limit $1', [ROWS]);
  await session.query('update bench_rows set fnlwgt = fnlwgt + $1', [round + 1]);
  await session.query('alter table bench_rows add primary key (id)');
  await session.query('vacuum analyze bench_rows');
}

type Form = keyof typeof sql;

/** The forms for many rows, compared with ONNX Runtime alone and with PL/Python; null if that cannot run here. */
async function* forms({ session, admin }: PredictStage, peer: RowsPeer | null, rounds: number): AsyncIterable<Figure> {
  const trained = await trainedModel(admin, model);
  const inputs = await session.query<{ row: string }>('select to_json(r)::text as row from bench_rows r');
  const batches = await encodedBatches(
    trained,
    inputs.map(({ row }) => row),
    RAW_BATCH_ROWS,
  );
  const raw = await RawRuns.start(trained.onnx, batches);
  const times = { raw: [] as number[], bulk: [] as number[], jsonb: [] as number[], plain: [] as number[] };
  const theirs: Partial<Record<PeerForm, number[]>> = {};
  for (let round = 0; round < rounds; round++) {
    times.raw.push(await raw.quickestMs());
    for (const [n, form] of (['bulk', 'jsonb', 'plain'] as const).entries()) {
      await freshRows(session, 3 * round + n);
      times[form satisfies Form].push(await timed(session, sql[form]));
    }
    for (const [form, ms] of Object.entries((await peer?.times()) ?? {}))
      theirs[form as PeerForm] = [...(theirs[form as PeerForm] ?? []), ms];
  }
  await raw.stop();
  const alone = { peer: `raw ONNX Runtime, ${family}` };
  yield compare('table-bulk', { ...byTurns(times.bulk, times.raw), ...alone, bar: 2 });
  yield compare('table-bulk-jsonb', { ...byTurns(times.jsonb, times.raw), ...alone });
  yield compare('table-plain', { ...byTurns(times.plain, times.bulk), peer: 'bulk form', bar: 1 / 0.7 });
  for (const form of ['bulk', 'plain'] as const) {
    const [serial, parallel] = [theirs[form], theirs[`${form}, parallel`]];
    if (serial === undefined || parallel === undefined) continue;
    const isParallel = settled(parallel) < settled(serial);
    const quicker = isParallel ? parallel : serial;
    const peerName = `PL/Python${isParallel ? ', parallel' : ''}`;
    yield compare(`table-peer-${form}`, { ...byTurns(times[form], quicker), peer: peerName, bar: 1 });
  }
}

/** A call with a row of a table, compared with one with a text of a table. */
async function* oneRow(session: Database, rounds: number): AsyncIterable<Figure> {
  await session.query(timerFunction);
  await session.query('set rafiki.read_ahead = off');
  const times = { row: [] as number[], text: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    await freshRows(session, 1_000_000 + round);
    await freshTable(session, `one ${round}`, ROWS);
    const calls = {
      row: `select rafiki_predict('${model}', r) from bench_rows r where id = $1`,
      text: `select rafiki_predict('${models.fasttext}', body) from bench_scan where id = $1`,
    };
    for (const [form, sql] of Object.entries(calls)) {
      const [row] = await session.query<{ us: number[] }>('select pg_temp.bench_us($1, 100) as us', [sql]);
      times[form as 'row' | 'text'].push(...(row?.us ?? []));
    }
  }
  await session.query('reset rafiki.read_ahead');
  const value = median(times.row);
  yield compare('table-one', { value, unit: 'us', peer: 'a text', peerValue: median(times.text), bar: 1.3 });
}

async function* bulkParts(session: Database, rounds: number): AsyncIterable<Figure> {
  await session.query('drop table if exists bench_array');
  await session.query(
    'create table bench_array as select array_agg(to_jsonb(r)) as rows, array_agg(to_json(r)::text) as texts from bench_rows r',
  );
  const nothing = 'select count(*) from bench_rows';
  for (const [name, sql] of Object.entries({ ...parts, 'rows-alone': nothing })) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await timed(session, sql));
    const value = Number(((1000 * median(times)) / ROWS).toPrecision(3));
    yield { bench: 'predict', name: `table-part-${name}`, value, unit: 'us/row', ok: null };
  }
}
