import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type ClaimedImport,
  claimImport,
  completeImport,
  deleteAbandonedImports,
  endExcessImports,
  failImport,
  releaseImport,
  requeueImports,
} from '../../src/db/statements/imports.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** Rows of imports, without a coordinator. */
let database: TestDatabase;
let db: TestDatabase['db'];
const error = { sqlstate: '38000', message: 'x' };

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterEach(() => database.drop());

/** Queued imports of a role, by their models. */
async function queued(owner: string, models: readonly string[]): Promise<void> {
  for (const model of models)
    await db.query(
      `with made as (
         insert into rafiki.import (owner, model, task, spec, bytes, state) values ($1::regrole, $2, 'sentiment', '{"prefix": "x"}', 4, 'queued') returning id
       ) insert into rafiki.import_part select id, 0, 'onnx' from made`,
      [owner, model],
    );
}

const claim = async (busy: readonly number[], turns: readonly number[]): Promise<ClaimedImport> =>
  (await claimImport(database.service, { busy, turns }))!;
const left = (): Promise<unknown[]> => db.query('select model, state, attempt, spec from rafiki.import order by id');

test('roles take turns, however many imports one of them has', async () => {
  const roles = ['rafiki_reader', 'rafiki_service', 'rafiki_owner'];
  await queued(roles[0]!, ['a1', 'a2', 'a3']);
  await queued(roles[1]!, ['b1', 'b2']);
  await queued(roles[2]!, ['c1']);
  const order: string[] = [];
  let turns: number[] = [];
  for (let i = 0; i < 6; i++) {
    const { model, owner } = await claim([], turns);
    order.push(model);
    turns = [...turns.filter((other) => other !== owner), owner];
  }
  expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

test('a specification is passed on as the text that it is, and deleted with the end', async () => {
  await queued('rafiki_reader', ['done', 'failed', 'lost']);
  const done = await claim([], []);
  expect(done.spec).toBe('{"prefix": "x"}');
  expect(await completeImport(database.service, done, 1)).toBe(true);
  await failImport(database.service, await claim([], []), error);
  await claim([], []);
  await requeueImports(database.service, 1, error);
  expect(await left()).toEqual([
    { model: 'done', state: 'completed', attempt: 1, spec: {} },
    { model: 'failed', state: 'failed', attempt: 1, spec: {} },
    { model: 'lost', state: 'failed', attempt: 1, spec: {} },
  ]);
});

test('an attempt counts if its leader was killed, not if it stopped', async () => {
  await queued('rafiki_reader', ['a']);
  await releaseImport(database.service, await claim([], []));
  expect(await left()).toMatchObject([{ state: 'queued', attempt: 0 }]);
  await claim([], []);
  await requeueImports(database.service, 3, error);
  expect(await left()).toMatchObject([{ state: 'queued', attempt: 1, spec: { prefix: 'x' } }]);
});

test('an upload that was committed halfway is deleted with its parts', async () => {
  await queued('rafiki_reader', ['a', 'b']);
  await db.query(`update rafiki.import set state = 'uploading' where model = 'a'`);
  expect(await deleteAbandonedImports(database.service)).toBe(1);
  expect(await deleteAbandonedImports(database.service)).toBe(0);
  expect(await left()).toMatchObject([{ model: 'b' }]);
  expect(await db.query('select count(*)::int as n from rafiki.import_part')).toEqual([{ n: 1 }]);
});

test('those that sessions began beyond the limit, before they saw each other, fail and lose their files', async () => {
  await db.query(`update rafiki.quota set value = 2 where name = 'open_imports'`);
  await queued('rafiki_reader', ['a1', 'a2', 'a3', 'a4']);
  await queued('rafiki_service', ['b1']);
  await endExcessImports(database.service, error);
  expect(await left()).toMatchObject([
    ...['a1', 'a2'].map((model) => ({ model, state: 'queued' })),
    ...['a3', 'a4'].map((model) => ({ model, state: 'failed', spec: {} })),
    { model: 'b1', state: 'queued' },
  ]);
  expect(await db.query('select count(*)::int as n from rafiki.import_part')).toEqual([{ n: 3 }]);
});
