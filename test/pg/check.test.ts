import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { splitRows } from '../../src/datasets/split.ts';
import type { Database } from '../../src/db/database.ts';
import { noticesOf } from '../support/notices.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await db.query('drop table if exists letters, held_out cascade');
  await db.query(
    'create table letters (id int generated always as identity, label text, body text, at timestamp, held boolean)',
  );
});

/** The details of each finding, by its name. */
async function check(args = `'text_classification', 'letters'`): Promise<Record<string, string[]>> {
  const rows = await db.query<{ finding: string; detail: string }>(`select * from rafiki_check(${args})`);
  for (const { finding, detail } of rows) {
    expect(finding.length).toBeLessThanOrEqual(12);
    expect(detail.length).toBeLessThanOrEqual(62); // 80 columns in psql
  }
  const found: Record<string, string[]> = {};
  for (const { finding, detail } of rows) found[finding] = [...(found[finding] ?? []), detail];
  return found;
}

const insert = (label: string, rows: number, start = 0): Promise<unknown> =>
  db.query('insert into letters (label, body) select $1, format($4, i) from generate_series($2::int, $3::int) i', [
    ...[label, start + 1, start + rows, `a letter on ${label.toLowerCase()}, no. %s`],
  ]);

describe('rafiki_check', () => {
  test('counts rows and classes, with the same split as workers', async () => {
    await insert('complaint', 300);
    await insert('praise', 100);
    await insert('question', 1);
    await db.query(`insert into letters (label, body) values (null, 'x'), ('praise', null), (null, null)`);
    const found = await check();
    const rows = await db.query<{ label: string; input: string }>(
      'select label, body as input from letters where label is not null and body is not null',
    );
    const { train, valid } = splitRows(rows, { task: 'text_classification', validation: 0.2 });
    expect(found['rows']).toEqual([
      `401 used: ${train.inputs.length} to train on, ${valid.inputs.length} to validate on`,
    ]);
    expect(found['left out']).toEqual(['2 whose "label" is null', '1 whose "body" is null']);
    expect(found['classes']).toEqual(['3: "complaint" 300, "praise" 100, "question" 1']);
    expect(found['one row']).toEqual(['class "question" has one text, which is never validated']);
    const max = valid.labels.filter((label) => label === 0).length / valid.inputs.length;
    expect(found['majority']).toEqual([`"complaint" every time would score ${max.toFixed(3)}`]);
    expect(found['error']).toEqual([
      `standard error of a score: ${(0.5 / Math.sqrt(valid.inputs.length)).toFixed(3)} at most`,
    ]);
    expect(found['time']?.[0]).toMatch(/^some 2 s for a first trial; 10.0 min for all at most$/);
    expect(found['typo?']).toBeUndefined();
  });

  test('finds labels that look like typos of others, and no others', async () => {
    const typos = ['complant', 'Complaint', 'complaint ', 'comlpaint', 'complaïnt', 'c0mplaint', 'compplaintt'];
    for (const label of ['complaint', 'praise', 'irrelevant', 'relevant', 'type 1', 'type 12'])
      await insert(label, 100);
    for (const label of [...typos, 'type 2', 'prose', 'x']) await insert(label, 1);
    expect((await check())['typo?']?.toSorted()).toEqual(
      typos.map((label) => `"${label}" (1) looks like "complaint" (100)`).toSorted(),
    );
  });

  test('finds texts that are on both sides of the split, and those with several labels', async () => {
    await insert('complaint', 200);
    await insert('praise', 200);
    await db.query(`create table held_out as select id, label, body from letters limit 0`);
    await db.query(`
      insert into held_out (label, body)
      select case when id % 5 = 0 then 'praise' else label end, case when id % 2 = 0 then upper(body) || '  ' else body end
      from letters where id <= 20 union all select label, 'quite another ' || body from letters where id between 21 and 60`);
    const found = await check(`'text_classification', 'letters', validation_source => 'held_out'`);
    expect(found['both sides']?.slice(0, 2)).toEqual([
      '20 texts are trained and validated on (20 rows)',
      '4 of them with different labels',
    ]);
    expect(found['left out']).toEqual(['10 to train on, whose text is validated on']);
    expect(found['two labels']?.[0]).toMatch(/^4 texts have several, such as "/);
    expect(found['rows']).toEqual(['450 used: 390 to train on, 60 to validate on']);
  });

  test('reports validation rows with other classes', async () => {
    for (const label of ['complaint', 'praise', 'question', 'x']) await insert(label, 40);
    await db.query(`create table held_out as select id, label, 'held out: ' || body as body from letters`);
    await db.query(`delete from letters where label in ('praise', 'x'); delete from held_out where label = 'question'`);
    const args = `'text_classification', 'letters', validation_source => 'held_out'`;
    const found = await check(args);
    expect(found['only scored']).toEqual(['2 classes, always wrong: "praise" 40, "x" 40']);
    expect(found['only trained']).toEqual(['1 class, never scored: "question" 40']);
    expect(found['no overlap']).toBeUndefined();
    await db.query(`update held_out set label = 'Complaint' where label = 'complaint'`);
    expect(await check(args)).toMatchObject({
      'no overlap': ['no class is trained and validated on: no answer could be right'],
      'only scored': ['3 classes, always wrong: "Complaint" 40, "praise" 40, "x" 40'],
      'only trained': ['2 classes, never scored: "complaint" 40, "question" 40'],
    });
    await db.query(`update letters set held = label = 'question'`);
    expect(await check(`'text_classification', 'letters', validation_split => 'held'`)).toHaveProperty(['no overlap']);
    expect(Object.keys(await check())).not.toContain('only trained');
    const notices = await noticesOf(
      db,
      `select rafiki._show_check(jsonb_populate_record(null::rafiki.study, jsonb_build_object(
      'task', 'text_classification', 'source', 'letters', 'target', 'label', 'features', '{body}'::text[], 'validation', 0.2,
      'metric', 'accuracy', 'max_time', '1 min', 'on_bad_row', 'error', 'validation_source', 'held_out')))`,
    );
    expect(notices.at(-1)).toBe(
      `findings: no overlap, only scored, only trained, typo?; select * from rafiki_check('text_classification', 'public.letters', validation_source => 'public.held_out')`,
    );
  });

  test('reports few rows, many classes and repeated rows', async () => {
    await insert('a', 5);
    await insert('b', 5);
    expect((await check())['few rows']?.[0]).toMatch(/^\d to validate on: scores mean next to nothing$/);
    await db.query(`update letters set body = 'the same', label = 'a'`);
    const same = await check();
    expect(same['few rows']).toContain('one class only: there is nothing to learn');
    expect(same['repeats']).toEqual(['9 rows have the text of another row']);
    await db.query(
      `truncate letters; insert into letters (label, body) select 'item ' || i % 3000, 'text ' || i from generate_series(1, 6000) i`,
    );
    expect((await check())['many classes']).toEqual(['2.0 rows each on average: is "label" a label?']);
    await db.query('truncate letters');
    expect(await check()).toEqual({
      rows: ['0 used: 0 to train on, 0 to validate on'],
      'few rows': ['there is nothing to learn'],
    });
  });

  test('accepts the arguments of rafiki_train, with the same errors', async () => {
    await insert('a', 50);
    await insert('b', 50);
    await db.query(`update letters set at = timestamp '2026-01-01' + id * interval '1 day', held = id % 4 = 0`);
    expect((await check(`'text_classification', 'letters', validation_split => 'held'`))['rows']?.[0]).toContain(
      '25 to validate on',
    );
    expect((await check(`'text_classification', 'letters', validation_after => '2026-03-31'`))['rows']?.[0]).toContain(
      '11 to validate on',
    );
    expect((await check(`'text_classification', 'letters', metric => 'auc'`))['majority']).toEqual([
      'a constant answer has a auc of 0.500',
    ]);
    for (const [args, code] of [
      [`'text_classification', 'letters', target => 'lable'`, '42703'],
      [`'text_classification', 'letters', validation_split => 'at'`, '42804'],
      [`'text_classification', 'letters', validation_split => 'held', validation_after => '2026-01-01'`, '42804'],
      [`'text_classification', 'letters', validation_source => 'letters'`, '22023'],
      [`'text_classification', 'letters', metric => 'rmse'`, '22023'],
      [`'text_classification', 'letters', validation => 2`, '22023'],
    ])
      expect(await failureOf(db, `select rafiki_check(${args})`)).toMatchObject({ code, hint: expect.any(String) });
  });

  test("reads with its caller's rights", async () => {
    await insert('a', 50);
    await insert('b', 50);
    const mallory = await database.as('mallory');
    expect(await failureOf(mallory, `select rafiki_check('text_classification', 'letters')`)).toMatchObject({
      code: '42501',
    });
    await db.query(`grant select on letters to public; alter table letters enable row level security;
      create policy part on letters using (id <= 60)`);
    const [rows] = await mallory.query<{ detail: string }>(
      `select detail from rafiki_check('text_classification', 'letters')`,
    );
    expect(rows?.detail).toMatch(/^60 used/);
  });
});
