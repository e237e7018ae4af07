import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { importFileCommand } from '../../src/cli/terminal/import-file.ts';
import type { Database } from '../../src/db/database.ts';
import { expectedAnswers, onnxFile, onnxPath } from '../support/onnx-files.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

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
  await expect(importFile('broken', bytes, { spec: { clases: [] } })).rejects.toMatchObject({ code: '22000' });
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
  await expect(mallory.query(`select rafiki._add_import_part(1, 'ticket', 0, 'x')`)).rejects.toMatchObject({
    code: '55000',
  });
  expect(await mallory.query('select from rafiki.imports')).toEqual([]);
});

test('a graph that does not end costs its callers an error, and others nothing', async () => {
  const spec = { columns: ['a', 'b'].map((name) => ({ name, type: 'number' })) };
  expect(await importFile('sleeper', onnxFile('sleeper_endless'), { spec })).toBe('ready');
  const late = db.query(`select rafiki_predict('sleeper', '{"a": 1, "b": 0}'::json::text)`);
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
