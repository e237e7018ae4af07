import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createParamStore } from '../../src/params/create-param-store.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { eventually, studyEnd, withRefit } from '../support/studies.ts';

/** Studies that start from the weights of a model. */
vi.setConfig({ testTimeout: 900_000, hookTimeout: 500_000 });
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;

/** Rows of one kind, others in each table: `age` is an expression of i. */
const people = (table: string, age: string): string => `
  create table ${table} as
    select i as id, ${age} as age, (array['cook', 'clerk', 'poet', 'smith'])[1 + i % 4] as job,
      case when ${age} + 15 * (i % 2) > 52 then 'yes' else 'no' end as buys
    from generate_series(1, 300) i;`;

beforeAll(async () => {
  database = await createDatabaseWithoutRefits();
  db = database.db;
  await db.query(`${people('old_people', '18 + (i * 37) % 60')} ${people('new_people', '20 + (i * 23) % 57')}
    create table notes as select i as id, 'text ' || i as body, (array['a', 'b'])[1 + i % 2] as label from generate_series(1, 40) i;`);
  processes = await startProcesses(database.service);
  await train('old_people', 'old', linear);
});
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const linear = `families => '{linear}', knobs => '{"epochs": 6}'`;

async function train(source: string, model: string, args: string, refit = false): Promise<number> {
  const sql = `select rafiki_train('tabular_classification', '${source}', '${model}', target => 'buys', features => '{age,job}', seed => 3,
    max_trials => 1, max_time => '10 min', ${args}) as id`;
  const [row] = refit ? await withRefit(db, sql) : await db.query<{ id: number }>(sql);
  expect(await studyEnd(db, row!.id, 400_000)).toMatchObject({ state: 'completed', error: null });
  return row!.id;
}

const firstTrial = async (
  study: number,
): Promise<{ loss: number; score: number; warm: string; parent: number | null }> =>
  (
    await db.query<{ loss: number; score: number; warm: string; parent: number | null }>(
      `select r.loss, r.score, v.warm, v.parent from rafiki.trial t join rafiki.report r on r.trial_id = t.id and r.epoch = 1
       join rafiki.trials v on v.study = t.study_id and v.trial = t.number where t.study_id = $1 and t.number = 1`,
      [study],
    )
  )[0]!;

test('its first trial begins with them, and better than at random', async () => {
  const random = await firstTrial(await train('new_people', 'at_random', linear));
  expect(random.warm).toBe('0%');
  const id = await train('new_people', 'from_old', `${linear}, start => 'old'`);
  const started = await firstTrial(id);
  expect(started).toMatchObject({ warm: '100%', parent: null });
  expect(started.loss).toBeLessThan(random.loss);
  expect(started.score).toBeGreaterThanOrEqual(random.score);
  const [study] = await db.query('select start from rafiki.studies where study = $1', [id]);
  expect(study).toEqual({ start: 'old 1' });
  const report = await db.query<{ detail: string }>(`select detail from rafiki_report($1) where part = 'training'`, [
    id,
  ]);
  expect(report[0]?.detail).toContain('100 % of its weights from model old');
});

test('also in a study without collaboration; another family takes what fits', async () => {
  const alone = await firstTrial(
    await train('new_people', 'alone', `${linear}, collaborative => false, start => 'old'`),
  );
  expect(alone.warm).toBe('100%');
  const other = await firstTrial(
    await train('new_people', 'other', `families => '{mlp}', knobs => '{"epochs": 10}', start => 'old'`),
  );
  expect(Number.parseInt(other.warm, 10)).toBeLessThan(50);
});

test('weights are kept with their model, and no longer', async () => {
  const params = createParamStore(database.service, {});
  const left = async (): Promise<number> => {
    await db.query(`update rafiki.params set created_at = now() - interval '1 day'`);
    await params.collectGarbage();
    const [row] = await db.query<{ n: number }>(`select count(*)::int as n from rafiki.params where kind = 'weights'`);
    return row!.n;
  };
  const before = await left();
  expect(before).toBeGreaterThan(0);
  await train('new_people', 'short_lived', linear, true);
  expect(await left()).toBe(before + 1);
  await db.query(`select rafiki_drop_model('short_lived')`);
  expect(await left()).toBe(before);
});

test('is for the owner of the model, of one with the same kind of input that has weights', async () => {
  const attempt = (on: Database, start: string, args = linear): Promise<unknown> =>
    on.query(
      `select rafiki_train('tabular_classification', 'new_people', 'x', target => 'buys', features => '{age,job}', start => $1, ${args})`,
      [start],
    );
  await expect(attempt(db, 'unheard')).rejects.toMatchObject({ code: '42704' });
  const user = await database.as('asker');
  const [{ name } = { name: '' }] = await user.query<{ name: string }>('select current_user as name');
  await db.query(`grant select on new_people to ${name}`);
  await expect(attempt(user, 'old')).rejects.toMatchObject({ code: '42704' }); // it does not see the model
  await db.query(`select rafiki_grant('old', '${name}')`);
  await expect(attempt(user, 'old')).rejects.toMatchObject({
    code: '42501',
    message: expect.stringContaining("owner's"),
  });
  await train('old_people', 'forest', `families => '{gradient_boosting}'`);
  await expect(attempt(db, 'forest')).rejects.toMatchObject({
    code: '55000',
    detail: expect.stringContaining('gradient_boosting'),
  });
  const text = `select rafiki_train('text_classification', 'notes', target => 'label', features => '{body}', start => 'old')`;
  await expect(db.query(text)).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining('other inputs'),
  });
});

test('a version answers, is measured, explained and started from as before once its study is dropped', async () => {
  const study = await train('old_people', 'orphan', `${linear}, deploy => true`);
  await eventually(db, `select from rafiki.models where model = 'orphan' and deployment = 'ready'`);
  const answers = (): Promise<unknown[]> =>
    db.query(`select rafiki_predict('orphan', p, '20 s') as answer from old_people p order by p.id limit 20`);
  const before = await answers();
  await db.query('select rafiki_drop_study($1)', [study]);
  for (const table of ['trial', 'validation', 'study_key'])
    expect(await db.query(`select from rafiki.${table} where study_id = $1`, [study]), table).toEqual([]);
  expect(await answers()).toEqual(before);
  await db.query(`set rafiki.latency_budget = '20 s'`);
  expect(
    await db.query(`select metric from rafiki_evaluate('orphan', 'old_people', 'buys') where metric = 'accuracy'`),
  ).toHaveLength(1);
  expect(
    await db.query(`select feature from rafiki_feature_importance('orphan', 'old_people', 'buys') order by feature`),
  ).toEqual([{ feature: 'age' }, { feature: 'job' }]);
  await expect(db.query(`select * from rafiki_feature_importance('orphan')`)).rejects.toMatchObject({ code: '42P01' });
  const explained = `select feature from rafiki_explain('orphan', (select p from old_people p limit 1))`;
  expect(await db.query(explained)).toHaveLength(3); // the base, age and job
  await db.query('reset rafiki.latency_budget');
  const started = await firstTrial(await train('new_people', 'from_orphan', `${linear}, start => 'orphan'`));
  expect(started.warm).toBe('100%');
  await db.query(`select rafiki_export('orphan')`);
});
