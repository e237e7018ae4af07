import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { released, restore } from '../support/released.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually, studyEnd } from '../support/studies.ts';

/** In the dumps the model reviews_sentiment is alice's, bob may use it, and her table inbox is attached to it. */
const people = ['alice', 'bob', 'carol'] as const;
type UpgradedRole = (typeof people)[number];

const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');

let database: TestDatabase;
let db: Database;
let sessions: Record<UpgradedRole, Database>;
let processes: RunningProcesses | undefined;

beforeEach(async () => {
  database = await createTestDatabase('template0');
  db = database.db;
  processes = undefined;
  for (const name of people) await db.query(`create role ${name} login password 'secret'`);
  sessions = { alice: sessionOf('alice'), bob: sessionOf('bob'), carol: sessionOf('carol') };
});
afterEach(async () => {
  await processes?.stop();
  await Promise.all(Object.values(sessions).map((session) => session.stop()));
  await database.drop();
  const cluster = await createTestDatabase('template0');
  for (const name of people) await cluster.db.query(`drop role ${name}`);
  await cluster.drop();
});

const sessionOf = (role: string): Database =>
  new Database({ url: urlAs(database.url, role, 'secret'), application: 'test', asUser: true, logger });

type DumpedRow = Record<string, unknown>;

/** Every row of every table, as JSON; but for the families, which are this version's. */
async function allRows(): Promise<Map<string, DumpedRow[]>> {
  const tables = await db.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relkind = 'r' and oid not in ('rafiki.family'::regclass, 'rafiki.task'::regclass)
       and relnamespace in ('rafiki'::regnamespace, 'public'::regnamespace) order by 1`,
  );
  const rows = new Map<string, DumpedRow[]>();
  for (const { name } of tables) {
    // keys are others after an upgrade, and in a table of their own
    const found = await db.query<{ row: DumpedRow }>(
      `select to_jsonb(t) - 'key' as row from ${name} t order by t::text`,
    );
    rows.set(
      name,
      found.map(({ row }) => row),
    );
  }
  return rows;
}

/** What those rows have by now in the columns that they had. */
function inColumnsOf(before: Map<string, DumpedRow[]>, after: Map<string, DumpedRow[]>): Map<string, DumpedRow[]> {
  return new Map(
    [...before].map(([name, rows]) => {
      const columns = Object.keys(rows[0] ?? {});
      const now = after.get(name) ?? [];
      return [name, now.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]])))];
    }),
  );
}

const sorted = (rows: Map<string, DumpedRow[]>): Map<string, string[]> =>
  new Map([...rows].map(([name, each]) => [name, each.map((row) => JSON.stringify(row)).sort()]));

/** Two studies that were open: one waits, of the other a trial is under way. */
async function leaveOpen(): Promise<number[]> {
  const ids: number[] = [];
  for (const state of ['queued', 'running']) {
    const [row] = await db.query<{ id: number }>(
      `insert into rafiki.study (owner, task, source, model, target, features, families, max_trials, max_time, validation, seed, state)
       select owner, task, source, 'open_' || $1, target, features, families, 2, '10 min', 0.2, 1, $1
       from rafiki.study where id = 1 returning id`,
      [state],
    );
    ids.push(row!.id);
  }
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed, state, lease_until)
     values ($1, 1, 'fasttext', '{}', 1, 'running', now() + interval '1 min')`,
    [ids[1]],
  );
  return ids;
}

async function expectLikeFresh(way: 'as a script' | 'as an extension'): Promise<void> {
  const fresh = await createTestDatabase('template0');
  try {
    if (way === 'as a script') await fresh.db.transaction((tx) => tx.query(script));
    else expect(await install(fresh.db)).toBe(way);
    expect(await catalogue(db)).toEqual(await catalogue(fresh.db));
  } finally {
    await fresh.drop();
  }
}

const predict = `select rafiki_predict('reviews_sentiment', 'a great film') as label`;

/** Serving, coordinator and worker of this version, and what each of them may do. */
async function expectWorking(): Promise<void> {
  processes = await startProcesses(database.service);
  await eventually(db, `select from rafiki.deployment where state = 'ready'`);
  for (const may of ['alice', 'bob'] as const) {
    expect(await sessions[may].query(predict)).toEqual([{ label: 'pos' }]);
  }
  expect(await failureOf(sessions.carol, predict)).toMatchObject({ code: '42704' });
  await expectAttached();
  await expectRights();
  await expectTraining();
}

async function expectAttached(): Promise<void> {
  await sessions.alice.query(`insert into inbox (body) values ('film 7 was awful')`);
  await eventually(sessions.alice, `select from inbox where mood = 'neg'`);
}

async function expectRights(): Promise<void> {
  const { alice, bob, carol } = sessions;
  expect(await alice.query('select model from rafiki.models')).toEqual([{ model: 'reviews_sentiment' }]);
  expect(await bob.query('select model from rafiki.models')).toEqual([{ model: 'reviews_sentiment' }]);
  expect(await carol.query('select model from rafiki.models')).toEqual([]);
  expect(await bob.query('select from rafiki.studies')).toEqual([]);
  expect(await alice.query(`select octet_length(rafiki_export('reviews_sentiment')) > 1000 as full`)).toEqual([
    { full: true },
  ]);
  for (const refused of [`rafiki_drop_model('reviews_sentiment')`, `rafiki_grant('reviews_sentiment', 'carol')`]) {
    expect((await failureOf(bob, `select ${refused}`)).code).toBe('42501');
  }
  await alice.query(`select rafiki_grant('reviews_sentiment', 'carol')`);
  expect(await carol.query(predict)).toEqual([{ label: 'pos' }]);
  await alice.query(`select rafiki_revoke('reviews_sentiment', 'carol')`);
  expect((await failureOf(carol, predict)).code).toBe('42704');
}

async function expectTraining(): Promise<void> {
  const [row] = await sessions.alice.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', families => '{fasttext}', max_trials => 1) as id`,
  );
  expect(await studyEnd(db, row!.id)).toMatchObject({ state: 'completed', version: 2 });
  await sessions.alice.query(`select rafiki_deploy('reviews_sentiment', 2)`);
  expect(await sessions.bob.query(predict)).toEqual([{ label: 'pos' }]);
}

describe('a database of 0.1.0, installed as a script', () => {
  test('equals a new one after the upgrade, loses nothing, predicts and trains', async () => {
    await restore(db, released('as-script'));
    const before = await allRows();
    expect([...before.values()].reduce((sum, rows) => sum + rows.length, 0)).toBeGreaterThan(200);
    expect(await install(db)).toBe('upgraded');
    expect(sorted(inColumnsOf(before, await allRows()))).toEqual(sorted(before));
    await expectLikeFresh('as a script');
    await expectWorking();
    expect(await install(db)).toBe('unchanged');
  });

  test('ends open studies with the reason', async () => {
    await restore(db, released('as-script'));
    const open = await leaveOpen();
    await install(db);
    for (const id of open) {
      expect(await studyEnd(db, id)).toMatchObject({
        state: 'failed',
        error: { sqlstate: '55000', message: 'the study was open while rafiki was upgraded', hint: 'Train again.' },
      });
    }
    const states = await db.query('select distinct state from rafiki.trial order by state');
    expect(states).toEqual([{ state: 'cancelled' }, { state: 'completed' }]);
  });

  test("limits values beyond today's limits", async () => {
    await restore(db, released('as-script'));
    await db.query(
      `update rafiki.study set max_time = '290000 years', max_trials = 2000000000, target_score = 'nan', delta = 'nan',
         features = array_fill('body'::name, array[2000]), families = array[repeat('x', 70000)],
         knobs = jsonb_build_object('x', repeat('x', 70000)), advisor = repeat('x', 100)`,
    );
    await db.query(`update rafiki.model set latency_budget = '2 years'`);
    await install(db);
    const bounded = `
      select s.max_time = '30 days' as time, s.max_trials, s.target_score, s.delta, cardinality(s.features) as features, s.families,
        s.knobs, length(s.advisor) as advisor, m.latency_budget = '1 day' as budget from rafiki.study s, rafiki.model m`;
    expect(await db.query(bounded)).toEqual([
      {
        ...{ time: true, max_trials: 10_000, target_score: null, delta: Number.POSITIVE_INFINITY, features: 1600 },
        ...{ families: null, knobs: {}, advisor: 63, budget: true },
      },
    ]);
  });

  test('changed by a newer version is refused, and stays unchanged', async () => {
    await restore(db, released('as-script'));
    await install(db);
    await db.query(`insert into rafiki.migration (name) values ('0099-from-the-future')`);
    const before = await catalogue(db);
    await expect(install(db)).rejects.toMatchObject({
      message: expect.stringContaining('newer version'),
      detail: expect.stringContaining('0099-from-the-future'),
    });
    expect(await catalogue(db)).toEqual(before);
  });
});

describe.skipIf(postgresVersion() < 18)('the extension', () => {
  test('of 0.1.0 is updated, and equals a new one', async () => {
    await db.query(`create extension rafiki version '0.1.0' cascade`);
    expect(await db.query(`select to_regclass('rafiki.migration') as ledger`)).toEqual([{ ledger: null }]);
    expect(await install(db)).toBe('upgraded');
    await expectLikeFresh('as an extension');
    expect(await install(db)).toBe('unchanged');
  });

  test('of a newer version is refused', async () => {
    await install(db);
    await db.query(`insert into rafiki.migration (name) values ('0099-from-the-future')`);
    await db.query(`update pg_extension set extversion = '0.99.0' where extname = 'rafiki'`);
    await expect(install(db)).rejects.toMatchObject({ message: expect.stringContaining('newer version') });
  });

  test('of this version but another build is refused, and stays unchanged', async () => {
    await install(db);
    await db.query(
      `create or replace function rafiki._build() returns text language sql immutable as $$ select 'another' $$`,
    );
    const before = await catalogue(db);
    await expect(install(db)).rejects.toMatchObject({
      message: expect.stringContaining('unreleased build'),
      hint: expect.stringContaining('Dump and restore the database'),
    });
    expect(await catalogue(db)).toEqual(before);
  });

  test('of 0.1.0 with its rows keeps them, predicts and trains', async () => {
    const dump = released('as-extension').replace('EXISTS rafiki WITH SCHEMA public', `$& VERSION '0.1.0'`);
    await restore(db, dump);
    const before = await allRows();
    expect(await install(db)).toBe('upgraded');
    expect(sorted(inColumnsOf(before, await allRows()))).toEqual(sorted(before));
    await expectLikeFresh('as an extension');
    await expectWorking();
  });

  test('created from a dump of 0.1.0 accepts its rows, predicts and trains', async () => {
    await restore(db, released('as-extension'));
    expect(await install(db)).toBe('unchanged');
    await expectLikeFresh('as an extension');
    const [open = 0, running = 0] = await leaveOpen();
    await expectWorking();
    for (const id of [open, running]) expect(await studyEnd(db, id)).toMatchObject({ state: 'failed' });
  });
});
