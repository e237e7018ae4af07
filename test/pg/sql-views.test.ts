import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await createReviews(db, 10);
  const studyId = await insertStudy(db, {
    model: 'a_model_with_a_name_of_some_length_as_people_choose',
    maxTrials: 1000,
  });
  await db.query(`insert into rafiki.process (kind, host, pid, threads, device, version)
                  select kind, 'worker-12.internal.example.com', 4194304, 128, 'webgpu', '0.1.0'
                  from unnest('{coordinator,worker}'::text[]) kind`);
  const error = JSON.stringify({ message: 'a message of the length that messages tend to have, or even more' });
  const knobs = { learning_rate: 0.012345678, weight_decay: 1e-5, dropout: 0.123456, filters: 128, word_dropout: 0.25 };
  await db.query(
    `update rafiki.study set state = 'running', started_at = now() - interval '90 h', created_at = now() - interval '99 h',
       max_time = '700 h', error = $1`,
    [error],
  );
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed, state, attempt, epoch, epochs, score, seconds, process_id, started_at, ended_at)
     select $1, i, 'temporal_cnn', $2, i, case i when 1 then 'running' else 'cancelled' end, 3, 100, 100, 0.123456, 12345.67,
            case i when 1 then 1 end, now() - interval '90 h', case i when 2 then now() end from generate_series(1, 2) i`,
    [studyId, knobs],
  );
  await db.query(`insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, seconds)
                  select id, 100, 1, 1000000, 1234.56789, 0.123456, 12345.67 from rafiki.trial`);
  await db.query(
    `with model as (insert into rafiki.model (name, task, owner) select model, 'text_classification', owner from rafiki.study returning id),
     version as (insert into rafiki.model_version (model_id, version, score, classes)
                 select id, 100, 0.123456, '{a,b}' from model returning id, model_id)
     insert into rafiki.deployment (model_id, version_id, state, error, ready_at) select model_id, id, 'failed', $1, now() from version`,
    [error],
  );
  await db.query(`insert into rafiki.predict_stat (process_id, model_id, calls, rows, cached, batches, overdue, p50_ms, p99_ms, cold, loads, bytes)
                  select 1, id, 12345678, 123456789, 12345678, 1234567, 123456, 1234.5, 12345.6, 12345678, 123456, 123456789012 from rafiki.model`);
});
afterAll(() => database.drop());

test.each(['reports', 'top_studies', 'top_trials', 'top_models', 'top_workers', 'top_predict'])(
  'rafiki.%s fits 80 columns in psql',
  async (view) => {
    const columns = await database.db.query<{ name: string; width: number }>(
      `select attname as name, length(attname) as width from pg_attribute where attrelid = $1::regclass order by attnum`,
      [`rafiki.${view}`],
    );
    const lengths = columns.map(({ name }) => `coalesce(length(${name}::text), 0) as ${name}`);
    const rows = await database.db.query<Record<string, number>>(`select ${lengths.join()} from rafiki.${view}`);
    expect(rows).not.toEqual([]);
    const widest = columns.map(({ name, width }) => Math.max(width, ...rows.map((row) => row[name] ?? 0)));
    const width = widest.reduce((sum, each) => sum + each + 3, -1);
    expect(width).toBeLessThanOrEqual(80);
  },
);

test('names and reasons are not cut, so that they can be joined', async () => {
  const { db } = database;
  const name = 'a_model_with_a_name_of_some_length_as_people_choose';
  const message = 'a message of the length that messages tend to have, or even more';
  expect(await db.query('select model, notice from rafiki.studies')).toEqual([{ model: name, notice: message }]);
  for (const view of ['models', 'deployments', 'stat_predict', 'stat_memory'])
    expect(await db.query(`select model from rafiki.${view} join rafiki.studies using (model)`), view).toHaveLength(1);
  expect(await db.query('select error from rafiki.deployments')).toEqual([{ error: message }]);
  expect(await db.query(`select distinct knobs_or_error as knobs from rafiki.trials`)).toEqual([
    { knobs: 'dropout=0.123456 filters=128 learning_rate=0.012345678 weight_decay=0.00001 word_dropout=0.25' },
  ]);
  expect(await db.query('select model from rafiki.top_studies')).toEqual([{ model: 'a_model_with_a_na…' }]);
});

test('rafiki.studies counts trials and shows the time left', async () => {
  const [study] = await database.db.transaction(async (tx) => {
    await tx.query(`update rafiki.trial set started_at = now() - interval '90 h'`);
    await tx.query('update rafiki.study set paused_at = now()'); // or its time would go on
    return tx.query('select done, running, total, best::float8, eta::text from rafiki.studies');
  });
  // one of 1,000 trials took 90 h: the limit of 700 h comes first
  expect(study).toEqual({ done: 1, running: 1, total: 1000, best: 0.123, eta: '610:00:00' });
});
