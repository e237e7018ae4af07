import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { eventually, withRefit } from '../support/studies.ts';

/** Trials of a family that is no network, from rafiki_train to answers, and across workers. */
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;

beforeAll(async () => {
  database = await createDatabaseWithoutRefits();
  db = database.db;
  // Whether somebody buys depends on two columns together, which a linear model cannot tell.
  await db.query(`
    create table visits as
      select i as id, (i * 7919) % 1000 / 10.0 as age, (array['Bern', 'Basel', 'Chur', null])[1 + (i * 31) % 4] as city, (i * 104729) % 977 as noise,
        case when ((i * 7919) % 1000 >= 500) <> ((i * 31) % 4 < 2) then 'yes' else 'no' end as buys
      from generate_series(1, 4000) i;
    alter table visits add primary key (id)`);
  processes = await startProcesses(database.service);
  await db.query(`set rafiki.latency_budget = '20 s'`);
}, 120_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const request = (args: string): string =>
  `select rafiki_train('tabular_classification', 'visits', target => 'buys', ${args}) as id`;

async function train(args: string): Promise<number> {
  const [study] = await db.query<{ id: number }>(request(args));
  return study!.id;
}

const endOf = async (study: number): Promise<string | undefined> => {
  const [end] = await db.query<{ state: string }>('select rafiki_wait($1) as state', [study]);
  return end?.state;
};

test('a study tries it and another one, and its model answers what a linear one cannot', async () => {
  const args = `families => '{gradient_boosting,linear}', max_trials => 2, max_time => '5 min', seed => 4, knobs => '{"epochs": 8}'`;
  const [{ id } = { id: 0 }] = await withRefit(db, request(args));
  expect(await endOf(id)).toBe('completed');
  const trials = await db.query<{ family: string; score: number }>(
    'select family, score from rafiki.trial where study_id = $1 and refits is null order by number',
    [id],
  );
  expect(trials.map(({ family }) => family)).toEqual(['gradient_boosting', 'linear']);
  expect(trials[0]?.score).toBeGreaterThan(0.98);
  expect(trials[1]?.score).toBeLessThan(0.7);
  const [right] = await db.query<{ share: number }>(
    `select avg((p.a = p.buys)::int)::float8 as share from
       (select buys, rafiki_predict('visits_tabular_classification', v) as a from visits v where id <= 200) p`,
  );
  expect(right?.share).toBeGreaterThan(0.95);
});

test('an ensemble has a forest and a linear model as members, which answer together', async () => {
  await db.query(
    `create view grown_up as select id, age, city, case when age >= 50 then 'yes' else 'no' end as adult from visits`,
  );
  const [study] = await db.query<{ id: number }>(
    `select rafiki_train('tabular_classification', 'grown_up', target => 'adult', features => '{age,city}',
       families => '{gradient_boosting,linear}', max_trials => 2, max_time => '5 min', ensemble => 'vote',
       seed => 4, knobs => '{"epochs": 6}') as id`,
  );
  expect(await endOf(study!.id)).toBe('completed');
  const members = await db.query<{ family: string }>(
    `select m.family from rafiki.model_member m join rafiki.model_version v on v.id = m.version_id where v.study_id = $1 order by m.rank`,
    [study!.id],
  );
  expect(members.map(({ family }) => family).sort()).toEqual(['gradient_boosting', 'linear']);
  const [answer] = await db.query<{ detail: { label: string; probabilities: Record<string, number> } }>(
    `select rafiki_predict_detail('grown_up_tabular_classification', g) as detail from grown_up g where age > 90 limit 1`,
  );
  expect(answer?.detail).toMatchObject({
    label: 'yes',
    probabilities: { yes: expect.any(Number), no: expect.any(Number) },
  });
});

test('a paused trial continues from its checkpoint to the scores that it has without a pause', async () => {
  // A low rate, so that it improves for seconds.
  const args = (model: string): string =>
    `model => '${model}', families => '{gradient_boosting}', max_trials => 1, max_time => '5 min', seed => 9, metric => 'likelihood',
     knobs => '{"epochs": 40, "learning_rate": 0.02, "leaves": 64}'`;
  const reports = (study: number) =>
    db.query<{ epoch: number; step: number; score: number; loss: number }>(
      `select r.epoch, r.step, r.score, r.loss from rafiki.report r join rafiki.trial t on t.id = r.trial_id
       where t.study_id = $1 and t.refits is null order by r.epoch`,
      [study],
    );
  const undisturbed = await train(args('undisturbed'));
  expect(await endOf(undisturbed)).toBe('completed');
  const paused = await train(args('paused'));
  await eventually(
    db,
    'select from rafiki.report r join rafiki.trial t on t.id = r.trial_id where t.study_id = $1 and r.epoch >= 2 limit 1',
    [paused],
    120_000,
  );
  await db.query('select rafiki_pause($1)', [paused]);
  await eventually(
    db,
    `select from rafiki.trial where study_id = $1 and state = 'waiting' and checkpoint_id is not null and attempt = 0`,
    [paused],
    120_000,
  );
  expect((await reports(paused)).length).toBeLessThan(40);
  await db.query('select rafiki_resume($1)', [paused]);
  expect(await endOf(paused)).toBe('completed');
  const [whole, continued] = [await reports(undisturbed), await reports(paused)];
  expect(continued).toEqual(whole);
  expect(whole.length).toBeGreaterThan(10);
  expect(whole.every(({ epoch, step }) => step === 10 * epoch)).toBe(true);
}, 300_000);
