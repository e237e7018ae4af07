import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { describeCommand, type FamilySource } from '../../src/families/sources.ts';
import { addFamilies } from '../../src/models/registry.ts';
import { softmaxPlace } from '../support/families/softmax.ts';
import { noticesOf } from '../support/notices.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { eventually, studyEnd, withRefit } from '../support/studies.ts';

/** Families that are commands, from the worker that has them to answers in SQL. Processes are started for each trial, which a busy machine delays. */
vi.setConfig({ testTimeout: 900_000 });
const MS = 800_000;
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses | undefined;

beforeAll(async () => {
  database = await createDatabaseWithoutRefits();
  db = database.db;
  await db.query(`
    create table people as
      select i as id, 18 + (i * 37) % 60 as age, (array['cook', 'clerk', 'poet', 'smith'])[1 + i % 4] as job,
        case when (18 + (i * 37) % 60) + 15 * (i % 2) > 52 then 'yes' else 'no' end as buys
      from generate_series(1, 400) i`);
  await db.query(`set rafiki.latency_budget = '20 s'`);
});
afterEach(async () => {
  await processes?.stop();
  processes = undefined;
  addFamilies([]);
});
afterAll(() => database.drop());

const start = async (sources: FamilySource[]): Promise<void> => {
  processes = await startProcesses(database.service, { sources, checkpointEveryMs: 100 });
};
const softmax = (fault = '', name = 'softmax'): Promise<FamilySource> => describeCommand(softmaxPlace(fault, name));

const call = (model: string, args: string): string =>
  `select rafiki_train('tabular_classification', 'people', '${model}', target => 'buys', features => '{age,job}', seed => 3,
    max_time => '12 min', ${args}) as id`;

const train = async (model: string, args: string): Promise<number> =>
  (await db.query<{ id: number }>(call(model, args)))[0]!.id;

const trials = (study: number): Promise<{ family: string; state: string; attempt: number; error: string | null }[]> =>
  db.query(
    `select family, state, attempt, error ->> 'message' as error from rafiki.trial
     where study_id = $1 and refits is null order by number`,
    [study],
  );

test('SQL sees it while its worker runs, and a study has it beside those of Rafiki', async () => {
  await start([await softmax()]);
  const [listed] = await db.query(`select family, tasks, title, workers from rafiki.families where family = 'softmax'`);
  expect(listed).toEqual({
    family: 'softmax',
    tasks: ['tabular_classification', 'tabular_regression'],
    title: 'softmax regression',
    workers: 1,
  });
  const knobs = await db.query(
    `select knob, domain, initial from rafiki_knobs('tabular_classification') where family = 'softmax'`,
  );
  expect(knobs).toEqual([
    { knob: 'epochs', domain: '1 … 50 int', initial: '8' },
    { knob: 'rate', domain: '0.01 … 2 float, log scale', initial: '0.5' },
  ]);
  const id = await train('both', `families => '{linear,softmax}', max_trials => 4, knobs => '{"epochs": 5}'`);
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'completed', error: null });
  const all = await trials(id);
  expect(new Set(all.map(({ family }) => family))).toEqual(new Set(['linear', 'softmax']));
  expect(all.every(({ state }) => state === 'completed' || state === 'stopped')).toBe(true);
});

test('its model answers, is explained, and needs neither worker nor command', async () => {
  await start([await softmax()]);
  const [{ id } = { id: 0 }] = await withRefit(db, call('own', `families => '{softmax}', max_trials => 2`));
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'completed' });
  await processes?.stop();
  addFamilies([]);
  await start([]);
  const [right] = await db.query<{ share: number }>(
    `select avg((rafiki_predict('own', p) = p.buys)::int)::float8 as share from people p where id <= 50`,
  );
  expect(right?.share).toBeGreaterThan(0.8);
  const parts = await db.query<{ feature: string }>(
    `select e.feature from people p, rafiki_explain('own', p) e where p.id = 1`,
  );
  expect(parts.map(({ feature }) => feature)).toContain('age');
});

test('killed, its trial continues from its checkpoint', async () => {
  await start([await softmax('slow')]);
  const id = await train('killed', `families => '{softmax}', max_trials => 1, knobs => '{"epochs": 8}'`);
  await eventually(
    db,
    `select from rafiki.trial t join rafiki.report r on r.trial_id = t.id
     where t.study_id = $1 and r.epoch >= 2 and t.checkpoint_id is not null and t.state = 'running'`,
    [id],
    MS,
  );
  const [pid, ...more] = pidsOf('slow');
  expect(more).toEqual([]);
  process.kill(pid as number, 'SIGKILL');
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'completed' });
  expect(await trials(id)).toEqual([{ family: 'softmax', state: 'completed', attempt: 1, error: null }]);
  const reports = await db.query<{ epoch: number; attempt: number }>(
    `select r.epoch, r.attempt from rafiki.report r join rafiki.trial t on t.id = r.trial_id
     where t.study_id = $1 and t.refits is null order by r.epoch`,
    [id],
  );
  expect(reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(reports[0]?.attempt).toBe(0); // not trained again
  expect(reports[7]?.attempt).toBe(1);
});

test('killed in each attempt, its trial says what it said', async () => {
  await start([await softmax('killed')]);
  const id = await train('always_killed', `families => '{softmax}', max_trials => 1`);
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'failed' });
  const [trial] = await db.query(`select error ->> 'detail' as detail from rafiki.trial where study_id = $1`, [id]);
  expect(trial).toEqual({
    detail: expect.stringContaining('was ended by signal 9. It said: cannot allocate memory'), // and the shell: Killed
  });
});

test('cancelled, it is killed', async () => {
  await start([await softmax('endless')]);
  const id = await train('cancelled', `families => '{softmax}', max_trials => 1`);
  await expect.poll(() => pidsOf('endless').length).toBe(1);
  await db.query('select rafiki_cancel($1)', [id]);
  await studyEnd(db, id, MS);
  await expect.poll(() => pidsOf('endless')).toEqual([]);
});

test('a family that fails leaves the study to others, and the trial says why', async () => {
  await start([await softmax('nonsense')]);
  const id = await train('others', `families => '{softmax,linear}', max_trials => 4, knobs => '{"epochs": 3}'`);
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'completed' });
  const failed = (await trials(id)).filter(({ state }) => state === 'failed');
  expect(failed.length).toBeGreaterThan(0);
  for (const { family, error } of failed) {
    expect(family).toBe('softmax');
    expect(error).toBe('the command of the family wrote something else than a message');
  }
  const alone = await train('alone', `families => '{softmax}', max_trials => 4`);
  expect(await studyEnd(db, alone, MS)).toMatchObject({ state: 'failed', error: { sqlstate: '38000' } });
});

test('without a running worker a study that names it waits, and says so; one that names none has the others', async () => {
  const told = await noticesOf(db, call('waits', `families => '{softmax}', max_trials => 1`));
  expect(told).toContain('no running worker has family softmax');
  const [{ id } = { id: 0 }] = await db.query<{ id: number }>(`select id from rafiki.study where model = 'waits'`);
  await start([]);
  const waits = `select from rafiki.studies where study = $1 and notice like '%no running worker has family softmax%'`;
  await eventually(db, waits, [id], MS);
  const other = await train('all', `max_trials => 2, knobs => '{"epochs": 2}'`);
  expect(await studyEnd(db, other, MS)).toMatchObject({ state: 'completed' });
  expect((await trials(other)).map(({ family }) => family)).not.toContain('softmax');
  await processes?.stop();
  await start([await softmax()]);
  expect(await studyEnd(db, id, MS)).toMatchObject({ state: 'completed' });
  await expect(train('unheard', `families => '{unheard}'`)).rejects.toMatchObject({ code: '42704' });
});

test('a name has one meaning among the running workers, and only workers give it', async () => {
  await start([await softmax()]);
  const tell = (on: Database, title: string): Promise<unknown> =>
    on.query(
      `select rafiki._tell_family(id, 'softmax', $1, 0, false, '{"tabular_regression": {}}')
       from rafiki.process where kind = 'worker'`,
      [title],
    );
  await expect(tell(database.service, 'another one')).rejects.toMatchObject({ code: '42710' });
  const user = await database.as('anybody');
  await expect(tell(user, 'mine')).rejects.toMatchObject({ code: '42501' });
  const insert = `insert into rafiki.worker_family (process_id, name) select id, 'x' from rafiki.process`;
  await expect(user.query(insert)).rejects.toMatchObject({ code: '42501' });
});

/** Processes of the command with this fault. */
function pidsOf(fault: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return words[1]?.endsWith('softmax.mjs') === true && words[2] === fault;
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);
}
