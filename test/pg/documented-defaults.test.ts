import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews } from '../support/studies.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await createReviews(database.db, 20);
});
afterAll(() => database.drop());

test.each([
  ['rafiki_class_report', 'confidence', `select * from rafiki_class_report('m', 'reviews', confidence => 2)`],
])('the hint of %s names the default of %s', async (name, argument, call) => {
  const [found] = await database.db.query<{ arguments: string }>(
    'select pg_get_function_arguments(oid) as arguments from pg_proc where proname = $1',
    [name],
  );
  const [, value] = new RegExp(`\\b${argument} [a-z ]+ DEFAULT ([^,]+)`).exec(found?.arguments ?? '') ?? [];
  const { hint } = await failureOf(database.db, call);
  const [, named] = /the default is (.+)\.$/i.exec(hint ?? '') ?? [];
  expect(await database.db.query(`select ${value} = ${named} as same`)).toEqual([{ same: true }]);
});

test.each([
  [
    'max_trials',
    '0',
    /default is (\d+), and (\d+) for a table/,
    /; (\d+) if neither it nor max_time is given, (\d+) for a table/,
  ],
  ['max_time', "'0'", /default is '(.+)'/, /; (.+) if it is not given/],
  ['validation', '2', /default is (0\.\d+)/, /, (0\.\d+) if it is not given/],
])(
  'the hint of rafiki_train names the default of %s, which is in its comment',
  async (argument, wrong, hinted, said) => {
    const [found] = await database.db.query<{ comment: string }>(
      `select obj_description(oid) as comment from pg_proc where proname = 'rafiki_train'`,
    );
    const { hint } = await failureOf(
      database.db,
      `select rafiki_train('sentiment', 'reviews', ${argument} => ${wrong})`,
    );
    const line = found?.comment.split('\n').find((each) => each.startsWith(`  ${argument}:`));
    expect(said.exec(line ?? '')?.slice(1)).toEqual(hinted.exec(hint ?? '')?.slice(1));
    expect(hinted.exec(hint ?? '')).not.toBeNull();
  },
);

describe('the defaults of settings', () => {
  let defaults: Record<string, string>;
  beforeAll(async () => {
    const rows = await database.db.query<{ name: string; usual: string }>('select name, usual from rafiki.settings');
    defaults = Object.fromEntries(rows.map(({ name, usual }) => [name, usual]));
  });
  /** Settings with a value in parentheses, such as `rafiki.delta (0.005)`. */
  const namedIn = (text: string): [string, string][] =>
    [...text.matchAll(/`?(rafiki\.[a-z_]+)`? \(([\d.]+ ?m?s?|on|off)[;:)]/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(' ', ''),
    ]);
  const differing = (named: [string, string][]): [string, string][] =>
    named.filter(([name, value]) => name in defaults && defaults[name] !== value);

  test('are those in the comments of functions', async () => {
    const rows = await database.db.query<{ comment: string }>(
      `select d.description as comment from pg_description d join pg_proc p on p.oid = d.objoid and d.classoid = 'pg_proc'::regclass
       where p.proname like 'rafiki\\_%'`,
    );
    const named = rows.flatMap(({ comment }) => namedIn(comment));
    expect(new Set(named.map(([name]) => name)).size).toBeGreaterThanOrEqual(5);
    expect(differing(named)).toEqual([]);
  });

  test.each(['README.md', 'docs/decisions/0015-collaborative-tuning.md', 'docs/decisions/0023-attached-tables.md'])(
    'are those in %s',
    (file) => {
      const named = namedIn(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
      expect(named.length).toBeGreaterThan(0);
      expect(differing(named)).toEqual([]);
    },
  );
});
