import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { importFileCommand } from '../../src/cli/terminal/import-file.ts';
import type { Database, Queryable } from '../../src/db/database.ts';
import { expectedAnswers, onnxFile, onnxPath } from '../support/onnx-files.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

/** Imported models, from SQL to answers: files of test/fixtures/onnx/make.py. */
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;

const columns = ['length', 'width', 'height', 'weight'];
const { rows, answers } = expectedAnswers.sklearn_logistic;
const labels = (answers as number[][]).map((row) => ['iris', 'rose', 'tulip'][row.indexOf(Math.max(...row))] ?? '');

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(`
    create table flowers (id int generated always as identity, length real, width real, height real, weight real, name text, said text)`);
  for (const [i, row] of rows.entries())
    await db.query('insert into flowers (length, width, height, weight, name) values ($1, $2, $3, $4, $5)', [
      ...columns.map((name) => row[name]),
      labels[i],
    ]);
  processes = await startProcesses(database.service);
  await db.query(`set rafiki.latency_budget = '60 s'`);
}, 120_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

interface AskedImport {
  task?: string;
  spec?: Record<string, unknown>;
  deploy?: boolean;
}

async function importFile(
  name: string,
  bytes: Uint8Array,
  { task = 'tabular_classification', spec = {}, deploy = true }: AskedImport = {},
): Promise<string> {
  const [begun] = await db.query<{ id: number }>('select rafiki_import($1, $2, $3, $4, $5) as id', [
    ...[name, task, Buffer.from(bytes), JSON.stringify(spec), deploy],
  ]);
  const [end] = await db.query<{ state: string }>(`select rafiki_wait_import($1, '3 min') as state`, [begun!.id]);
  return end!.state;
}

const named = { columns: columns.map((name) => ({ name, type: 'number' })) };

test('a model of scikit-learn is imported and answers as it does', async () => {
  expect(await importFile('garden', onnxFile('sklearn_logistic'), { spec: named })).toBe('ready');
  const found = await db.query<{ label: string }>(
    `select rafiki_predict('garden', f) as label from flowers f order by id`,
  );
  expect(found.map(({ label }) => label)).toEqual(labels);
  const [detail] = await db.query<{ d: { probabilities: Record<string, number>; versions: number[] } }>(
    `select rafiki_predict_detail('garden', f) as d from flowers f where id = 1`,
  );
  const [first = []] = answers as number[][];
  expect(detail?.d.versions).toEqual([1]);
  for (const [c, name] of ['iris', 'rose', 'tulip'].entries())
    expect(detail?.d.probabilities[name]).toBeCloseTo(first[c] ?? 0, 3);
});

test('it is listed, evaluated, explained, attached and granted as models of studies are', async () => {
  const [listed] = await db.query(
    `select version, score, classes, families, deployment, imported from rafiki.models where model = 'garden'`,
  );
  expect(listed).toEqual({
    version: 1,
    score: null,
    classes: 3,
    families: 'imported',
    deployment: 'ready',
    imported: true,
  });
  const [score] = await db.query<{ value: number }>(
    `select value::float8 as value from rafiki_evaluate('garden', 'flowers', target => 'name') where metric = 'accuracy'`,
  );
  expect(score?.value).toBe(1);
  const parts = await db.query<{ feature: string; contribution: number }>(
    `select e.feature, e.contribution from flowers f, rafiki_explain('garden', f) e where f.id = 1`,
  );
  expect(parts.length).toBeGreaterThanOrEqual(columns.length);
  await db.query(`select rafiki_attach('garden', 'flowers', output => 'said')`);
  const [added] = await db.query<{ said: string }>(
    `insert into flowers (length, width, height, weight) select length, width, height, weight from flowers where id = 1 returning said`,
  );
  expect(added?.said).toBe(labels[0]);
  await db.query(`select rafiki_detach('flowers', 'said')`);
});

test('an export is the same model again, bit for bit', async () => {
  const [out] = await db.query<{ onnx: Buffer }>(`select rafiki_export('garden') as onnx`);
  expect(await importFile('copy', out!.onnx)).toBe('ready');
  const weights = `
    select array_agg(t.hash order by t.name) as hashes, array_agg(p.meta) as meta from rafiki.model m join rafiki.model_version v on v.model_id = m.id
    join rafiki.model_member e on e.version_id = v.id join rafiki.params p on p.id = e.params_id join rafiki.params_tensor t on t.params_id = p.id
    where m.name = $1`;
  expect(await db.query(weights, ['copy'])).toEqual(await db.query(weights, ['garden']));
  const details = `select array_agg(rafiki_predict_detail($1, f) -> 'probabilities' order by id) as all from flowers f where id <= 8`;
  expect(await db.query(details, ['copy'])).toEqual(await db.query(details, ['garden']));
});

test('an export of an ensemble of ours is that ensemble again: its members, weights and preprocessing', async () => {
  await db.query(`create table notes as select i as id, (array['a good', 'a bad'])[1 + i % 2] || ' film of ' || 1900 + i % 90 as body,
    (array['pos', 'neg'])[1 + i % 2] as label from generate_series(1, 200) i`);
  for (const family of ['linear_text', 'fasttext']) {
    const [study] = await db.query<{ id: number }>(
      `select rafiki_train('text_classification', 'notes', $1, target => 'label', features => '{body}', families => array[$2], max_trials => 1,
        max_time => '5 min', seed => 1) as id`,
      [`of_${family}`, family],
    );
    expect(await db.query('select rafiki_wait($1) as state', [study!.id])).toEqual([{ state: 'completed' }]);
  }
  await db.query(`
    with version as (
      insert into rafiki.model_version (model_id, version, study_id, score, classes, metric, rule, accuracies)
      select v.model_id, v.version + 1, v.study_id, v.score, v.classes, v.metric, 'weighted', '{0,0.9,0.8,1}'
      from rafiki.model_version v join rafiki.model m on m.id = v.model_id where m.name = 'of_linear_text' returning id
    ) insert into rafiki.model_member (version_id, rank, family, precision, score, params_id, weight, temperature)
      select w.id, row_number() over (order by e.family desc) - 1, e.family, 'float32', e.score, e.answering_params_id,
        case e.family when 'fasttext' then 0.3 else 0.7 end, 1.5
      from version w, rafiki.model_member e join rafiki.model_version v on v.id = e.version_id join rafiki.model m on m.id = v.model_id
      where m.name in ('of_linear_text', 'of_fasttext') and e.rank = 0`);
  await db.query(`select rafiki_deploy('of_linear_text', 2)`);
  await expect
    .poll(() => db.query(`select version from rafiki.models where model = 'of_linear_text' and deployment = 'ready'`), {
      timeout: 20_000,
    })
    .toEqual([{ version: 2 }]);
  const [out] = await db.query<{ onnx: Buffer }>(`select rafiki_export('of_linear_text') as onnx`);
  expect(await importFile('both', out!.onnx, { task: 'text_classification' })).toBe('ready');
  const details = `
    select d -> 'probabilities' as shares, d -> 'rule' as rule, (select jsonb_agg(m - 'score') from jsonb_array_elements(d -> 'members') m) as members
    from (select rafiki_predict_detail($1, body)::jsonb as d, id from notes where id <= 6) of order by id`;
  const ours = await db.query<{ members: object[] }>(details, ['of_linear_text']);
  expect(ours[0]?.members).toEqual([
    { family: 'linear_text', weight: 0.7 },
    { family: 'fasttext', weight: 0.3 },
  ]);
  expect(await db.query(details, ['both'])).toEqual(ours);
}, 300_000);

test('versions follow each other, are taken back, and the model is dropped', async () => {
  expect(await importFile('garden', onnxFile('sklearn_logistic'), { spec: named, deploy: false })).toBe('completed');
  expect(await db.query(`select rafiki_deploy('garden', 2) as v`)).toEqual([{ v: 2 }]);
  await expect
    .poll(
      async () =>
        (await db.query(`select version from rafiki.models where model = 'garden' and deployment = 'ready'`))[0],
    )
    .toEqual({ version: 2 });
  expect(await db.query(`select rafiki_rollback('garden') as v`)).toEqual([{ v: 1 }]);
  await db.query(`select rafiki_drop_model('copy')`);
  expect(await db.query(`select from rafiki.models where model = 'copy'`)).toEqual([]);
  expect(await db.query('select from rafiki.import_part')).toEqual([]);
});

test('what is wrong with a file is said by the wait and in the view', async () => {
  const bytes = Buffer.from('version https://git-lfs.github.com/spec/v1');
  await expect(importFile('broken', bytes)).rejects.toMatchObject({
    code: '22000',
    message: 'the file is no ONNX model',
  });
  expect(await db.query(`select model, state, error from rafiki.imports limit 1`)).toEqual([
    { model: 'broken', state: 'failed', error: 'the file is no ONNX model' },
  ]);
  const misspelt = importFile('broken', onnxFile('sklearn_logistic'), { spec: { ...named, clases: [] } });
  await expect(misspelt).rejects.toMatchObject({ code: '22023', message: 'spec has the unknown field "clases"' });
  await expect(db.query(`select rafiki_import('broken', 'tabular_classification', '')`)).rejects.toMatchObject({
    code: '54000',
  });
  await expect(db.query(`select rafiki_import('broken', 'nothing', 'x')`)).rejects.toMatchObject({ code: '42704' });
  await expect(db.query(`select rafiki_import('garden', 'tabular_regression', 'x')`)).rejects.toMatchObject({
    code: '55000',
  });
  await expect(db.query(`select rafiki_import('a', 'tabular_classification', 'x', '[]')`)).rejects.toMatchObject({
    code: '22023',
  });
  await expect(
    db.query(`select rafiki._begin_import('large', 'tabular_classification', 3000000000, '{}', true)`),
  ).rejects.toMatchObject({ code: '54000', message: 'the ONNX file is too large' });
});

test('a role cannot import under the name of another one, nor send parts of its file', async () => {
  const mallory = await database.as('mallory');
  await expect(mallory.query(`select rafiki_import('garden', 'tabular_classification', 'x')`)).rejects.toMatchObject({
    code: '42710',
  });
  const begin = `select * from rafiki._begin_import('mine', 'tabular_classification', 3, '{}', true)`;
  await db.transaction(async (on) => {
    const [own] = await on.query<{ import: number; ticket: string }>(begin);
    const add = (ticket: string, session: Queryable): Promise<unknown> =>
      session.query(`select rafiki._add_import_part($1, $2, 0, 'x')`, [own!.import, ticket]);
    await expect(add(own!.ticket, mallory)).rejects.toMatchObject({ code: '55000' }); // also with the right ticket
    await on.query('savepoint before');
    await expect(add('ticket', on)).rejects.toMatchObject({ code: '55000' });
    await on.query('rollback to before');
    await add(own!.ticket, on);
    await on.query('delete from rafiki.import where id = $1', [own!.import]);
  });
  expect(await mallory.query('select from rafiki.imports')).toEqual([]);
});

test('a role cannot import under the name that a study of another one has, nor the other way round', async () => {
  const [mallory, bob] = [await database.as('mallory'), await database.as('bob')];
  const [role] = await bob.query<{ name: string }>('select current_user::text as name');
  await createReviews(db, 20);
  const asked = `select rafiki_import('taken', 'tabular_classification', $1, $2) as id`;
  const values = [Buffer.from(onnxFile('sklearn_logistic')), JSON.stringify(named)];
  const id = await mallory.transaction(async (on) => {
    const [begun] = await on.query<{ id: number }>(asked, values);
    const study = await insertStudy(db, { model: 'taken', owner: role!.name }); // its session does not see the import either
    await db.query('update rafiki.study set paused_at = now() where id = $1', [study]);
    return begun!.id;
  });
  await expect(mallory.query(`select rafiki_wait_import($1, '3 min')`, [id])).rejects.toMatchObject({ code: '42710' });
  expect(await db.query(`select from rafiki.model where name = 'taken'`)).toEqual([]);
  await expect(mallory.query(asked, values)).rejects.toMatchObject({ code: '42710' });

  await db.query('grant select on reviews to public');
  await db.query(
    `insert into rafiki.import (owner, model, task, bytes, state) values ($1::regrole, 'theirs', 'sentiment', 1, 'checking')`,
    [role!.name],
  );
  const train = `select rafiki_train('sentiment', 'reviews', 'theirs')`;
  await expect(mallory.query(train)).rejects.toMatchObject({ code: '42710' });
  await db.query(`delete from rafiki.import where model = 'theirs'`);
});

test('nor the name of a study that is not committed yet', async () => {
  const [mallory, bob] = [await database.as('mallory'), await database.as('bob')];
  const train = `select rafiki_train('sentiment', 'reviews', 'pending')`;
  const asked = `select rafiki_import('pending', 'tabular_classification', $1, $2) as id`;
  const values = [Buffer.from(onnxFile('sklearn_logistic')), JSON.stringify(named)];
  const begin = async (): Promise<number> => (await mallory.query<{ id: number }>(asked, values))[0]!.id;
  await bob.transaction(async (on) => {
    await on.query(train);
    await expect(begin()).rejects.toMatchObject({
      code: '55006',
      message: expect.stringContaining('"pending" is being'),
    });
    await on.query('rollback');
  });

  await mallory.query('begin');
  const id = await begin();
  await bob.transaction(async (on) => {
    await on.query(train); // neither sees the other
    await mallory.query('commit');
    const waits = `
      select case when i.state = 'completed' then 'concluded' when exists (select from pg_locks l where not l.granted) then 'waits' end as does
      from rafiki.import i where i.id = $1`;
    await expect.poll(() => db.query(waits, [id]), { interval: 20 }).toEqual([{ does: expect.any(String) }]);
    expect(await db.query('select from rafiki.model where name = $1', ['pending'])).toEqual([]);
  });
  await expect(mallory.query(`select rafiki_wait_import($1, '3 min')`, [id])).rejects.toMatchObject({ code: '42710' });
  const owners = `select owner::text from rafiki.study where model = 'pending' and state in ('queued', 'running')`;
  expect(await db.query(owners)).toEqual(await bob.query('select current_user::text as owner'));
  await bob.query(`select rafiki_cancel(s.study) from rafiki.studies s where s.model = 'pending'`);
});

test('a role with a grant gets its answers, and nothing else of it', async () => {
  const bob = await database.as('bob');
  const [who] = await bob.query<{ name: string }>('select current_user as name');
  const ask = async (): Promise<unknown> =>
    (await bob.query<{ label: string }>(`select rafiki_predict('garden', $1) as label`, [JSON.stringify(rows[0])]))[0]
      ?.label;
  await bob.query(`set rafiki.latency_budget = '60 s'`);
  await expect(ask()).rejects.toMatchObject({ code: '42704' });
  await db.query(`select rafiki_grant('garden', $1::regrole)`, [who?.name]);
  expect(await ask()).toBe(labels[0]);
  await expect(bob.query(`select rafiki_export('garden')`)).rejects.toMatchObject({ code: '42501' });
  await db.query(`select rafiki_revoke('garden', $1::regrole)`, [who?.name]);
  await expect(ask()).rejects.toMatchObject({ code: '42704' });
});

test('a row that the graph does not take costs its own call alone', async () => {
  const good = rows.map((row) => JSON.stringify(row));
  const bad = JSON.stringify({ ...rows[0], length: 'long' });
  const ask = (input: string): Promise<{ label: string }[]> =>
    db.query<{ label: string }>(`select rafiki_predict('garden', $1) as label`, [input]);
  const mixed = [...good.slice(0, 3), bad, ...good.slice(3)];
  const asked = await Promise.allSettled(mixed.map(ask));
  for (const [i, input] of mixed.entries()) {
    const outcome = asked[i]!;
    if (input === bad) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '22000' } });
    else expect(outcome).toMatchObject({ status: 'fulfilled', value: [{ label: labels[good.indexOf(input)] }] });
  }
  await expect(
    db.query(`select rafiki_predict('garden', $1::text[])`, [[good[0], bad, good[1]]]),
  ).rejects.toMatchObject({ code: '22000' });
  const [both] = await db.query<{ found: string[] }>(`select rafiki_predict('garden', $1::text[]) as found`, [
    [good[0], good[1]],
  ]);
  expect(both?.found).toEqual(labels.slice(0, 2));
});

test('a graph that does not end costs its callers an error, and others nothing', async () => {
  const spec = { columns: ['a', 'b'].map((name) => ({ name, type: 'number' })) };
  expect(await importFile('sleeper', onnxFile('sleeper_endless'), { spec })).toBe('ready');
  const other = await database.as('other');
  const [who] = await other.query<{ name: string }>('select current_user as name');
  await other.query(`set rafiki.latency_budget = '60 s'`);
  await db.query(`select rafiki_grant('sleeper', $1::regrole)`, [who?.name]);
  const third = await database.as('third');
  await third.query(`set rafiki.latency_budget = '60 s'`);
  await third.query(`select rafiki_import('theirs', 'tabular_classification', $1, $2)`, [
    ...[Buffer.from(onnxFile('sklearn_logistic')), JSON.stringify(named)],
  ]);
  await third.query('select rafiki_wait_import(import) from rafiki.imports');
  const askTheirs = async (): Promise<unknown> =>
    (await third.query<{ label: string }>(`select rafiki_predict('theirs', $1) as label`, [JSON.stringify(rows[0])]))[0]
      ?.label;
  expect(await askTheirs()).toBe(labels[0]);
  let hasEnded = false;
  const late = other.query(`select rafiki_predict('sleeper', '{"a": 1, "b": 0}')`).finally(() => {
    hasEnded = true;
  });
  late.catch(() => undefined);
  expect(await third.query(`select rafiki_predict('theirs', $1) as label`, [JSON.stringify(rows[1])])).toEqual([
    { label: labels[1] },
  ]); // in another owner's process
  expect(hasEnded).toBe(false);
  await expect(late).rejects.toMatchObject({ code: '38000' });
  expect(await db.query(`select rafiki_predict('sleeper', '{"a": 0, "b": 1}') as label`)).toEqual([{ label: '1' }]);
});

test('rafiki import sends a file, and refuses one of 3 GB before it reads it', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-import-'));
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const run = (file: string): Promise<void> =>
    importFileCommand.run([
      ...[file, '--name', 'trees', '--task', 'tabular_regression', '--spec', path.join(dir, 'spec.json')],
      ...['--database-url', database.url],
    ]);
  try {
    writeFileSync(path.join(dir, 'spec.json'), JSON.stringify(named));
    await run(onnxPath('sklearn_forest'));
    expect(written.at(-1)).toBe('model "trees" is ready\n');
    const large = path.join(dir, 'large.onnx');
    writeFileSync(large, '');
    truncateSync(large, 3e9);
    await expect(run(large)).rejects.toMatchObject({ sqlstate: '54000', message: 'the ONNX file is too large' });
    await expect(run(path.join(dir, 'none.onnx'))).rejects.toMatchObject({ sqlstate: '42704' });
  } finally {
    spy.mockRestore();
    rmSync(dir, { recursive: true });
  }
  const { rows: given, answers: expected } = expectedAnswers.sklearn_forest;
  const [answer] = await db.query<{ number: number }>(`select rafiki_predict_number('trees', $1::json) as number`, [
    JSON.stringify(given[0]),
  ]);
  expect(answer?.number).toBeCloseTo(expected[0] as number, 3);
});
