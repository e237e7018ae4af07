import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createCustomers } from '../support/customers.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { failureOf } from '../support/sql-failure.ts';

/** rafiki_explain, from a study to what each column adds. */
let database: TestDatabase;
let db: Database;
let alice: Database;
let processes: RunningProcesses;

interface FoundPart {
  feature: string;
  value: string | null;
  contribution: number;
}

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  alice = await database.as('alice');
  await createCustomers(db);
  await db.query(`create table reviews as
    select i as id, case when i % 2 = 0 then 'a good film' else 'a bad film' end || ' ' || i as body,
      case when i % 2 = 0 then 'pos' else 'neg' end as label from generate_series(1, 80) i`);
  processes = await startProcesses(database.service);
  await db.query(`set rafiki.latency_budget = '20 s'`);
  await alice.query(`set rafiki.latency_budget = '20 s'`);
  for (const args of [
    `'tabular_classification', 'customers', target => 'buys', families => '{gradient_boosting}', knobs => '{"epochs": 5}', model => 'trees'`,
    `'tabular_classification', 'customers', target => 'buys', families => '{gradient_boosting,linear,mlp}', knobs => '{"epochs": 10}', model => 'all'`,
    `'tabular_regression', 'customers', target => 'spends', families => '{linear}', knobs => '{"epochs": 10}', model => 'spends'`,
    `'sentiment', 'reviews', families => '{fasttext}', model => 'texts'`,
  ])
    await db.query(`select rafiki_train(${args}, max_trials => ${args.includes('mlp') ? 3 : 1}, seed => 3)`);
  const ended = await db.query<{ state: string }>(`select rafiki_wait(id) as state from rafiki.study`);
  expect(ended.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed', 'completed']);
}, 240_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const sum = (parts: readonly FoundPart[]): number => parts.reduce((total, { contribution }) => total + contribution, 0);
const explain = (call: string, from = 'customers c where id = 31'): Promise<FoundPart[]> =>
  db.query<FoundPart>(`select e.* from (select * from ${from}) c, ${call} e`);

test.each(['trees', 'all'])(
  'the contributions of the model "%s" add up to the log odds of its answer',
  async (model) => {
    const parts = await explain(`rafiki_explain('${model}', c)`);
    const [known] = await db.query<{ label: string; shares: Record<string, number>; age: string }>(
      `select rafiki_predict('${model}', c) as label, rafiki_probabilities('${model}', c) as shares, age::text from customers c where id = 31`,
    );
    const base = parts.at(-1);
    expect(base).toEqual({ feature: '(base)', value: known?.label, contribution: expect.any(Number) });
    expect(1 / (1 + Math.exp(-sum(parts)))).toBeCloseTo(known?.shares[known.label] ?? Number.NaN, 3);
    const sizes = parts.slice(0, -1).map(({ contribution }) => Math.abs(contribution));
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(parts[0]).toMatchObject({ feature: 'age', value: known?.age });
    expect(parts.map(({ feature }) => feature).sort()).toEqual(
      ['(base)', 'age', 'city', 'member', 'mood', 'note', 'since', 'spends', 'stayed'].sort(),
    );
    expect(parts.find(({ feature }) => feature === 'note')?.value).toBeNull();
  },
);

test('another class has the opposite contributions if there are two', async () => {
  const [yes, no] = [
    await explain(`rafiki_explain('trees', c, class => 'yes')`),
    await explain(`rafiki_explain('trees', c, class => 'no')`),
  ];
  expect(yes.map(({ feature }) => feature)).toEqual(no.map(({ feature }) => feature));
  for (const [i, { contribution }] of yes.entries()) expect(no[i]?.contribution).toBeCloseTo(-contribution, 4);
});

test('a number is explained in its unit, and programs get one object', async () => {
  const [found] = await db.query<{
    parts: Record<string, unknown> & { base: number; score: number; contributions: FoundPart[] };
    number: number;
  }>(
    `select rafiki_explain_detail('spends', to_jsonb(c)) as parts, rafiki_predict_number('spends', c) as number from customers c where id = 31`,
  );
  const { parts, number } = found!;
  expect(parts).toMatchObject({ class: null });
  expect(Math.abs(parts.score - number)).toBeLessThan(1);
  expect(Math.abs(parts.base + sum(parts.contributions) - number)).toBeLessThan(1);
});

test('a row may be a json object, with a type or without', async () => {
  const [first] = await explain(`rafiki_explain('trees', to_json(c))`);
  expect(first?.feature).toBe('age');
  const [{ text } = { text: '' }] = await db.query<{ text: string }>(
    `select to_json(c)::text as text from customers c where id = 31`,
  );
  expect(await db.query(`select * from rafiki_explain('trees', $1) limit 1`, [text])).toEqual([first]);
});

test('a text is explained by its words', async () => {
  const parts = await db.query<FoundPart>(`select * from rafiki_explain('texts', 'a good film', class => 'pos')`);
  expect(parts.map(({ feature }) => feature).sort()).toEqual(['(base)', 'word 1', 'word 2', 'word 3']);
  expect(parts[0]).toMatchObject({ feature: 'word 2', value: 'good' });
  expect(parts[0]?.contribution).toBeGreaterThan(0);
});

test('nothing is explained by nothing', async () => {
  expect(await db.query(`select * from rafiki_explain('trees', null::jsonb)`)).toEqual([]);
  expect(await db.query(`select * from rafiki_explain('texts', null::text)`)).toEqual([]);
  expect(await db.query(`select rafiki_explain_detail('texts', null::bytea) as d`)).toEqual([{ d: null }]);
});

describe('what cannot be explained is an error of its own:', () => {
  test.each([
    ['a NULL model', `rafiki_explain(null, 'x')`, '22004', 'model must not be null'],
    ['a model that does not exist', `rafiki_explain('nobody', 'x')`, '42704', 'model "nobody" does not exist'],
    [
      'a class that does not exist',
      `rafiki_explain('texts', 'x', class => 'maybe')`,
      '22023',
      'model "texts" has no class "maybe"',
    ],
    [
      'a class of a number',
      `rafiki_explain('spends', '{}'::jsonb, class => 'x')`,
      '42809',
      'model "spends" predicts numbers, not classes',
    ],
    ['a row without a column', `rafiki_explain('trees', '{"age": 1}'::jsonb)`, '22000', 'the input has no column'],
    [
      'a value that cannot be read',
      `rafiki_explain('spends', (select jsonb_set(to_jsonb(c), '{age}', '"old"') from customers c limit 1))`,
      '22000',
      'column "age" cannot be read',
    ],
    ['a text that is no row', `rafiki_explain('trees', 'a text')`, '22000', 'the model reads columns'],
    [
      'a row for a model of texts',
      `rafiki_explain('texts', '{"a": 1}'::jsonb)`,
      '42804',
      'a model reads text or images, not jsonb',
    ],
    [
      'an image for a model of texts',
      `rafiki_explain('texts', '\\x00'::bytea)`,
      '22023',
      'model "texts" reads texts, but the input is an image',
    ],
    ['an empty text', `rafiki_explain('texts', ' ')`, '22000', 'the text has no words'],
    ['a list', `rafiki_explain('texts', '{a,b}')`, '42804', 'a list was given as one text'],
    [
      'a budget of no time',
      `rafiki_explain('texts', 'x', budget => '0')`,
      '22023',
      'the latency budget must be above 0',
    ],
    ['a text that is too large', `rafiki_explain('texts', repeat('a b ', 2100000))`, '54000', 'a text is too large'],
  ])('%s', async (_, call, code, message) => {
    expect(await failureOf(db, `select * from ${call}`)).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('a model of another role, until it is granted', async () => {
    const call = `select count(*)::int as parts from rafiki_explain('texts', 'a good film')`;
    expect(await failureOf(alice, call)).toMatchObject({ code: '42704', message: 'model "texts" does not exist' });
    const [role] = await alice.query<{ name: string }>('select current_user::text as name');
    await db.query(`select rafiki_grant('texts', $1)`, [role?.name]);
    expect(await alice.query(call)).toEqual([{ parts: 4 }]);
  });

  test('a detector', async () => {
    await db.query(
      `insert into rafiki.model (name, task, owner) values ('finder', 'object_detection', current_user::regrole)`,
    );
    expect(await failureOf(db, `select * from rafiki_explain('finder', '\\x00'::bytea)`)).toMatchObject({
      code: '42809',
      message: 'model "finder" finds objects, which are not explained',
    });
  });
});

test('a huge text is explained in a bounded time', async () => {
  const parts = await db.query<FoundPart>(`select * from rafiki_explain('texts', repeat('a good film ', 400000))`);
  expect(parts).toHaveLength(65);
  expect(parts.map(({ feature }) => feature)).toContain('words 1 to 16');
});
