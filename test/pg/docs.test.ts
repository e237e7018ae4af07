import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiPage, type PublicFunction, publicFunctions, themes } from '../../scripts/docs/api.ts';
import { parseComment } from '../../scripts/docs/comment.ts';
import { rooms, tablesPage } from '../../scripts/docs/tables.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { fruit, hasRealImages, photographs } from '../support/real-images.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { createReviews } from '../support/studies.ts';

/** `npm run docs` writes both pages: this test with --update. */
let database: TestDatabase;
let functions: PublicFunction[];
beforeAll(async () => {
  database = await createDatabaseWithoutRefits();
  functions = await publicFunctions(database.db);
});
afterAll(() => database.drop());

const byForm = (form: PublicFunction): string => `${form.name}(${form.signature})`;

describe('the pages', () => {
  test('docs/api.md is generated from the installed schema', async () => {
    await expect(await apiPage(database.db)).toMatchFileSnapshot('../../docs/api.md');
  });

  test('docs/tables.md is generated from the catalogue', async () => {
    await expect(await tablesPage(database.db)).toMatchFileSnapshot('../../docs/tables.md');
  });

  test('every function is in one section, and every table in one diagram', async () => {
    const named = Object.values(themes).flatMap((names) => names.map((name) => `rafiki_${name}`));
    expect(named.toSorted()).toEqual([...new Set(functions.map(({ name }) => name))].toSorted());
    const tables = await database.db.query<{ name: string }>(
      `select relname::text as name from pg_class where relnamespace = 'rafiki'::regnamespace and relkind = 'r'`,
    );
    expect(Object.values(rooms).flat().toSorted()).toEqual(tables.map(({ name }) => name).toSorted());
  });
});

describe('a comment', () => {
  test('describes each argument, the result and the errors, and has an example; that of an overload names its function', () => {
    const faults = functions.flatMap((form) => {
      const said = parseComment(form.comment);
      if (said.example === '') return [`${byForm(form)}: no example`];
      if (/^Like rafiki_/.test(said.text)) return [];
      const unlike = [...said.arguments.keys()].join() !== form.inputs.join();
      return [
        ...(unlike ? [`${byForm(form)}: arguments ${[...said.arguments.keys()].join()}`] : []),
        ...(said.result === '' ? [`${byForm(form)}: no result`] : []),
        ...(said.errors.length === 0 ? [`${byForm(form)}: no errors`] : []),
      ];
    });
    expect(faults).toEqual([]);
  });

  test('names only existing functions', () => {
    const named = functions.flatMap(({ comment }) =>
      parseComment(comment).errors.flatMap(({ when }) => /^those of (\w+)$/.exec(when)?.[1] ?? []),
    );
    expect(named.filter((name) => !functions.some((form) => form.name === name))).toEqual([]);
  });
});

/** On models that were trained for it, each in a transaction of its own, which is rolled back; procedures commit. */
describe.skipIf(!hasRealImages)('examples run', { timeout: 300_000 }, () => {
  let processes: RunningProcesses;
  const isCall = ({ isProcedure }: PublicFunction): boolean => isProcedure;
  const isOfTokens = ({ name }: PublicFunction): boolean => name.endsWith('_token');
  const run = (sql: string): Promise<unknown> => database.db.query(sql);

  beforeAll(async () => {
    await createReviews(database.db, 80);
    await run(`
      create table test_reviews as select * from reviews;
      create table inbox (id int primary key, body text, mood text);
      create table photos (id int primary key, truth text, image bytea);
      create table shelf (id int primary key, boxes jsonb, image bytea);
      create table customers as
        select i as id, 20 + i % 50 as age, (array['Bern', 'Basel', 'Chur'])[1 + i % 3] as city, case when i % 50 > 25 then 'yes' else 'no' end as buys
        from generate_series(1, 200) i;
      create table houses as
        select (array['Bern', 'Basel', 'Chur'])[1 + i % 3] as city, 1 + i % 7 as rooms, 1000.0 * (1 + i % 7) + i % 3 as price
        from generate_series(1, 200) i;
      create role bob`);
    for (const [id, [label, image]] of photographs(['cat', 'ship'], 24).entries())
      await database.db.query('insert into photos values ($1, $2, $3::text::bytea)', [id, label, image]);
    for (const [id, [boxes, image]] of fruit(8).entries())
      await database.db.query('insert into shelf values ($1, $2, $3::text::bytea)', [id, boxes, image]);
    await run('create view rated as select id, image, id % 7 as stars from photos');
    processes = await startProcesses(database.service);
    await train(`'sentiment', 'reviews', families => '{fasttext}', knobs => '{"epochs": 4}'`);
    await train(`'image_classification', 'photos', families => '{squeezenet}', knobs => '{"width": 16, "epochs": 5}'`);
    await train(`'object_detection', 'shelf', families => '{yolo}', knobs => '{"width": 16, "side": 96, "epochs": 5}'`);
    await train(`'tabular_classification', 'customers', target => 'buys', knobs => '{"epochs": 5}'`);
    await train(
      `'image_regression', 'rated', target => 'stars', families => '{squeezenet}', knobs => '{"width": 16, "epochs": 5}'`,
    );
    await train(`'tabular_regression', 'houses', target => 'price', knobs => '{"epochs": 5}'`);
    for (const form of functions.filter(isCall)) await run(parseComment(form.comment).example);
    await run(`select rafiki_attach('reviews_sentiment', 'inbox', 'body', 'mood')`);
  }, 300_000);
  afterAll(async () => {
    await processes?.stop();
    await run('drop owned by bob cascade; drop role bob');
  });

  async function train(args: string): Promise<void> {
    const [study] = await database.db.query<{ id: number }>(
      `select rafiki_train(${args}, max_trials => 1, max_time => '2 min') as id`,
    );
    const [end] = await database.db.query('select rafiki_wait($1) as state', [study?.id]);
    expect(end).toEqual({ state: 'completed' });
  }

  test('of every function', async () => {
    const failed: string[] = [];
    for (const form of functions.filter((each) => !isCall(each) && !isOfTokens(each))) {
      const { example } = parseComment(form.comment);
      const asked = database.db.transaction(async (tx) => {
        await tx.query(`set local rafiki.latency_budget = '20 s'`);
        await tx.query(example);
        throw new RolledBack();
      });
      await asked.catch((error: Error) => error instanceof RolledBack || failed.push(`${example}: ${error.message}`));
    }
    expect(failed).toEqual([]);
  });

  test('of tokens, which superusers have none of', async () => {
    const ann = await database.as('ann');
    const examples = functions.filter(isOfTokens).map(({ comment }) => parseComment(comment).example);
    expect(examples).toHaveLength(2);
    for (const example of examples.sort()) await ann.query(example); // creates, then revokes
    await ann.stop();
  });
});

class RolledBack extends Error {}
