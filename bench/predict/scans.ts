import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';
import { byTurns, compare, freshTable, timed } from './measure.ts';
import { models } from './stage.ts';

const ROWS = 10_000;
const { temporal_cnn: model, fasttext } = models;

const scalar = `rafiki_predict('${model}', body)`;
const inOrder = `select count(${scalar}) from bench_scan`;
const expression = `select count(rafiki_predict('${model}', body || '!')) from bench_scan`;
const array = `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan)))`;
/** Forms that return more than labels. */
const forms: Readonly<Record<string, string>> = {
  'predict-details': `select cardinality(rafiki_predict_detail('${model}', (select array_agg(body) from bench_scan)))`,
  'predict-probabilities': `select cardinality(rafiki_probabilities('${model}', (select array_agg(body) from bench_scan)))`,
  'predict-threshold': `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan), threshold => 0.9))`,
};
/** By the index, from its end: a sort would process rows after their prediction. */
const descending = `select count(label) from (select ${scalar} as label from bench_scan order by id desc offset 0) t`;

const byIndexAlone = 'set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off';
const anyPlan = 'reset enable_seqscan; reset enable_bitmapscan; reset enable_sort';

/** 10,000 rows, new texts each time, in alternating rounds. */
export async function* wholeTables(session: Database, rounds: number): AsyncIterable<Figure> {
  const times: Record<'array' | 'in order' | 'descending' | 'expression', number[]> = {
    array: [],
    'in order': [],
    descending: [],
    expression: [],
  };
  for (let round = 0; round < rounds; round++) {
    await freshTable(session, `in order ${round}`, ROWS);
    times['in order'].push(await timed(session, inOrder));
    await freshTable(session, `array ${round}`, ROWS);
    times.array.push(await timed(session, array));
    await freshTable(session, `descending ${round}`, ROWS);
    await session.query(byIndexAlone);
    times.descending.push(await timed(session, descending));
    await session.query(anyPlan);
    await freshTable(session, `expression ${round}`, ROWS);
    times.expression.push(await timed(session, expression));
  }
  const peer = 'array form';
  yield compare('predict-scalar', { ...byTurns(times['in order'], times.array), peer, bar: 1.2 });
  yield compare('predict-scalar-descending', { ...byTurns(times.descending, times.array), peer, bar: 1.5 });
  yield compare('predict-scalar-expression', { ...byTurns(times.expression, times.array), peer, bar: 1.5 });
}

/** Details and forms that use them, compared with the array form of labels: 10,000 rows, new texts each time, in alternating rounds. */
export async function* bulkForms(session: Database, rounds: number): AsyncIterable<Figure> {
  for (const [name, sql] of Object.entries(forms)) {
    const times = { form: [] as number[], labels: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      await freshTable(session, `${name} ${round}`, ROWS);
      times.form.push(await timed(session, sql));
      await freshTable(session, `labels for ${name} ${round}`, ROWS);
      times.labels.push(await timed(session, array));
    }
    yield compare(name, { ...byTurns(times.form, times.labels), peer: 'array form', bar: 1.5 });
  }
}

/** Rows that reading ahead computes for a query of one row in ten: counted as the cached ones of all rows. */
export async function filtered(session: Database): Promise<Figure> {
  await freshTable(session, 'filtered', ROWS);
  await session.query(`${inOrder} where id % 10 = 0`);
  const before = await knownRows(session);
  await session.query(array);
  const computed = (await knownRows(session)) - before;
  return compare('predict-filter', { value: computed, unit: 'rows', peer: 'requested', peerValue: ROWS / 10, bar: 2 });
}

/** Rows answered from the cache so far; serving writes them every two seconds. */
async function knownRows(session: Database): Promise<number> {
  await session.query('select pg_sleep(2.5)');
  const [row] = await session.query<{ cached: number }>(
    'select coalesce(sum(cached), 0)::float8 as cached from rafiki.stat_predict where model = $1',
    [model],
  );
  return row?.cached ?? 0;
}

/** Statements for which reading ahead gains little or nothing, compared with the same without it. */
const weakCases: { name: string; rows: number; sql: string; bar: number }[] = [
  {
    name: 'predict-expression', // not read ahead: md5 is not among the supported functions
    rows: 2000,
    sql: `select count(rafiki_predict('${model}', body || md5(title))) from bench_scan`,
    bar: 1.05,
  },
  {
    name: 'predict-limit',
    rows: 2000,
    sql: `select count(label) from (select ${scalar} as label from bench_scan limit 100) t`,
    bar: 1.1,
  },
  {
    name: 'predict-join',
    rows: 2000,
    sql: `select count(rafiki_predict('${model}', s.body)) from bench_text t join bench_scan s using (id) where t.label = 'positive'`,
    bar: 1.1,
  },
  {
    name: 'predict-no-order',
    rows: 2000,
    sql: `select count(label) from (select ${scalar} as label from bench_scan order by md5(body) limit 1000) t`,
    bar: 1.1,
  },
  {
    name: 'predict-two-models',
    rows: 2000,
    sql: `select count(${scalar}), count(rafiki_predict('${fasttext}', body)) from bench_scan`,
    bar: 1.1,
  },
  {
    name: 'predict-two-columns',
    rows: 2000,
    sql: `select count(${scalar}), count(rafiki_predict('${model}', title)) from bench_scan`,
    bar: 1.1,
  },
];

/** All statements of this file, for comparing two builds of rafiki. */
export const allScans: readonly { name: string; rows: number; sql: string; before?: string; after?: string }[] = [
  { name: 'predict-array-temporal_cnn', rows: ROWS, sql: array },
  { name: 'predict-array-fasttext', rows: ROWS, sql: array.replace(model, fasttext) },
  { name: 'predict-scalar', rows: ROWS, sql: inOrder },
  { name: 'predict-scalar-descending', rows: ROWS, sql: descending, before: byIndexAlone, after: anyPlan },
  ...weakCases,
];

export async function* weak(session: Database, rounds: number): AsyncIterable<Figure> {
  for (const { name, rows, sql, bar } of weakCases) {
    const times = { on: [] as number[], off: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const setting of round % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
        await freshTable(session, `${name} ${setting} ${round}`, rows);
        await session.query(`set rafiki.read_ahead = ${setting}`);
        times[setting].push(await timed(session, sql));
      }
    }
    await session.query('reset rafiki.read_ahead');
    yield compare(name, { ...byTurns(times.on, times.off), peer: 'read_ahead = off', bar });
  }
}

/** The plain form with and without read-ahead, rows a second; without it fewer rows, because each waits for a batch of its own. */
export async function accelerated(session: Database, naiveRows: number): Promise<Figure> {
  await freshTable(session, 'off', naiveRows);
  await session.query('set rafiki.read_ahead = off');
  const offMs = await timed(session, inOrder);
  await freshTable(session, 'on', ROWS);
  await session.query('reset rafiki.read_ahead');
  const onMs = await timed(session, inOrder);
  return compare('predict-scalar-synthetic', {
    value: (ROWS * 1000) / onMs,
    unit: 'rows/s',
    peer: 'read_ahead = off',
    peerValue: (naiveRows * 1000) / offMs,
    bar: 8,
    min: true,
  });
}
