import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { IMPORT_PART_BYTES, MAX_SPEC_BYTES } from '../../src/domain/import-limits.ts';
import { FOREIGN } from '../../src/foreign/plan.ts';
import { createParamStore } from '../../src/params/create-param-store.ts';
import { packModel } from '../../src/params/model-codec.ts';
import { elsewhere, forgedExport, readerOf } from '../support/forged-onnx.ts';
import { onnxFile } from '../support/onnx-files.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** What a role with a login can do with imports to others: files that lie about themselves, graphs that hang, and calls that go around the API. */
let database: TestDatabase;
let db: Database;
let mallory: Database;
let processes: RunningProcesses;

const columns = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));
const row = JSON.stringify({ length: 1, width: 1, height: 1, weight: 1 });

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  mallory = await database.as('mallory');
  processes = await startProcesses(database.service);
  for (const session of [db, mallory]) await session.query(`set rafiki.latency_budget = '60 s'`);
  expect(await importFile(db, 'garden', onnxFile('sklearn_logistic'))).toBe('ready');
}, 120_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

async function importFile(on: Database, name: string, bytes: Uint8Array): Promise<string> {
  const [begun] = await on.query<{ id: number }>(`select rafiki_import($1, 'tabular_classification', $2, $3) as id`, [
    ...[name, Buffer.from(bytes), JSON.stringify({ columns })],
  ]);
  const [end] = await on.query<{ state: string }>(`select rafiki_wait_import($1, '3 min') as state`, [begun!.id]);
  return end!.state;
}

const answer = async (model: string, on = db): Promise<unknown> =>
  (await on.query<{ label: string }>('select rafiki_predict($1, $2) as label', [model, row]))[0]?.label;

/** The export of a model whose description is changed: what is appended last counts. */
async function forged(change: (description: Record<string, unknown>) => Record<string, unknown>): Promise<Buffer> {
  const [own] = await db.query<{ onnx: Buffer; description: string }>(
    `select rafiki_export('garden') as onnx, rafiki._version_description(v.id) as description
     from rafiki.model_version v join rafiki.model m on m.id = v.model_id where m.name = 'garden' order by v.version limit 1`,
  );
  const description = JSON.stringify(change(JSON.parse(own!.description) as Record<string, unknown>));
  const [entry] = await db.query<{ bytes: Buffer }>(`select rafiki._metadata_entry('rafiki.model', $1) as bytes`, [
    description,
  ]);
  return Buffer.concat([own!.onnx, entry!.bytes]);
}

test('an export with 40 members, of which there would be a million million subsets, is refused', async () => {
  const bytes = await forged(({ members, ...rest }) => ({
    ...rest,
    members: new Array<unknown>(40).fill((members as unknown[])[0]),
    rule: 'vote',
  }));
  await expect(importFile(mallory, 'many', bytes)).rejects.toMatchObject({
    code: '22000',
    message: 'the file has more members than a model can have',
  });
  expect(await answer('garden')).toBeTypeOf('string');
});

test.each([
  ['accuracies', { accuracies: [0.5] }],
  [
    'weights',
    {
      members: [
        { family: 'x', precision: 'float32', weight: 1e9, temperature: 1, variant_of: null, params: 0, encoder: null },
      ],
    },
  ],
])('an export that lies about its %s is refused', async (_, change) => {
  const bytes = await forged((description) => ({ ...description, ...change }));
  await expect(importFile(mallory, 'liar', bytes)).rejects.toMatchObject({ code: '22000' });
});

test('an export whose member would read a file of the server is refused', async () => {
  const bytes = forgedExport(readerOf(elsewhere('usr/lib/os-release', 16)));
  const importing = `select rafiki_import('leak', 'tabular_regression', $1, null) as id`;
  const [begun] = await mallory.query<{ id: number }>(importing, [bytes]);
  await expect(mallory.query(`select rafiki_wait_import($1, '3 min')`, [begun!.id])).rejects.toMatchObject({
    code: '0A000',
    message: 'the ONNX file has its weights in other files',
  });
});

test('a score that a file says is none', async () => {
  const bytes = await forged(({ members, ...rest }) => ({
    ...rest,
    score: 1,
    metric: 'accuracy',
    members: (members as object[]).map((member) => ({ ...member, score: 1 })),
  }));
  expect(await importFile(mallory, 'boaster', bytes)).toBe('ready');
  expect(await db.query(`select score, metric from rafiki.models where model = 'boaster'`)).toEqual([
    { score: null, metric: null },
  ]);
  expect(await db.query('select from rafiki.model_member where score is not null')).toEqual([]);
});

test('a server refuses a version of 40 members, whoever made it, and answers for others', async () => {
  await db.query(`
    with version as (
      insert into rafiki.model_version (model_id, version, imported_as, classes, rule)
      select m.id, 99, m.task, '{a,b}', 'vote' from rafiki.model m where m.name = 'boaster' returning id, model_id
    ), members as (
      insert into rafiki.model_member (version_id, rank, family, precision, params_id)
      select v.id, g, 'imported', 'float32', (select min(params_id) from rafiki.model_member) from version v, generate_series(0, 39) g
    ) insert into rafiki.deployment (model_id, version_id) select model_id, id from version`);
  await expect
    .poll(
      () =>
        db.query(`select d.state, d.error ->> 'sqlstate' as code from rafiki.deployment d
          join rafiki.model_version v on v.id = d.version_id where v.version = 99`),
      { timeout: 20_000 },
    )
    .toEqual([{ state: 'failed', code: '54000' }]);
  expect(await answer('garden')).toBeTypeOf('string');
});

test('a specification beyond its limit is refused also without rafiki_import', async () => {
  const direct = (bytes: number): Promise<unknown> =>
    mallory.query(
      `with made as (select gen_random_uuid() as reader)
       select rafiki._enqueue_import(
         (null, null, 'large', 'sentiment', jsonb_build_object('prefix', repeat('x', $1)), 1, true, null, null, null, null, null, null, null, null)::rafiki.import,
         m.reader, rafiki._create_reader(m.reader, 'text', 'select null::pg_catalog.text')) from made m`,
      [bytes],
    );
  await expect(direct(MAX_SPEC_BYTES)).rejects.toMatchObject({ code: '54000', message: 'spec is too large' });
});

test('an upload that is committed without its end can be continued by nobody, and is deleted', async () => {
  const begin = `select import, ticket from rafiki._begin_import('half', 'sentiment', ${2 * IMPORT_PART_BYTES}, '{}', true)`;
  const add = 'select rafiki._add_import_part($1, $2, $3, $4)';
  const part = Buffer.alloc(1000);
  const [begun] = await mallory.query<{ import: number; ticket: string }>(begin);
  await expect(mallory.query(add, [begun!.import, begun!.ticket, 0, part])).rejects.toMatchObject({ code: '55000' });
  await expect(
    mallory.transaction(async (on) => {
      const [own] = await on.query<{ import: number }>(begin);
      await on.query(add, [own!.import, 'another', 0, part]);
    }),
  ).rejects.toMatchObject({ code: '55000' });
  await mallory.transaction(async (on) => {
    const [own] = await on.query<{ import: number; ticket: string }>(begin);
    await on.query(add, [own!.import, own!.ticket, 0, part]);
  });
  await expect
    .poll(() => db.query(`select from rafiki.import where model = 'half'`), { timeout: 30_000, interval: 500 })
    .toEqual([]);
  expect(await db.query('select from rafiki.import_part')).toEqual([]);
});

/** What a check would have found of a graph that it would have ended. */
const named = ['a', 'b'].map((name) => ({ name, length: 1 }));
const hanging = {
  encoder: FOREIGN,
  classes: ['no', 'yes'],
  state: {
    input: { kind: 'columns', missing: null, inputs: [{ name: 'X', type: 'float32', tail: [2], columns: named }] },
    output: { name: 'Y', kind: 'logits' },
    batch: null,
    columns: named.map(({ name }) => ({ name, kind: 'number', state: {} })),
  },
};

test('a graph that does not end while it is loaded delays no model of another role', async () => {
  const params = await createParamStore(database.service, {}).save(
    'model',
    packModel({ onnx: onnxFile('endless'), features: hanging }),
  );
  await db.query(
    `with version as (
      insert into rafiki.model_version (model_id, version, imported_as, classes, rule, features, kinds)
      select m.id, 100, m.task, '{no,yes}', 'best', '{a,b}', '{number,number}' from rafiki.model m where m.name = 'boaster' returning id, model_id
    ), members as (
      insert into rafiki.model_member (version_id, rank, family, precision, params_id) select v.id, 0, 'imported', 'float32', $1 from version v
    ) insert into rafiki.deployment (model_id, version_id) select model_id, id from version`,
    [params],
  );
  const slow = `select d.state from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id where v.version = 100`;
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // it is being loaded
  expect(await db.query(slow)).toEqual([{ state: 'loading' }]);
  expect(await importFile(db, 'second', onnxFile('sklearn_logistic'))).toBe('ready');
  expect(await answer('second')).toBeTypeOf('string');
  expect(await db.query(slow)).toEqual([{ state: 'loading' }]);
});

test('a model that gets another owner is loaded in that one’s process, and its calls go on', async () => {
  const [who] = await mallory.query<{ name: string }>('select current_user as name');
  await db.query(`select rafiki_set_owner('second', $1::regrole)`, [who?.name]);
  expect(await answer('second', mallory)).toBe(await answer('garden'));
  await expect
    .poll(() => mallory.query(`select deployment from rafiki.models where model = 'second'`), { timeout: 20_000 })
    .toEqual([{ deployment: 'ready' }]);
  expect(await answer('second', mallory)).toBe(await answer('garden'));
});

test('a study cannot start from an imported model, and is told why', async () => {
  await db.query(`create table flowers as select i as id, i % 7 as length, i % 5 as width, (array['a', 'b'])[1 + i % 2] as name
    from generate_series(1, 100) i`);
  await expect(
    db.query(
      `select rafiki_train('tabular_classification', 'flowers', 'started', target => 'name', start => 'garden')`,
    ),
  ).rejects.toMatchObject({
    code: '55000',
    detail: expect.stringContaining('It was imported'),
    hint: 'Start from a model that a study of this database has trained.',
  });
});
