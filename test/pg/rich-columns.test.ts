import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { noticesOf } from '../support/notices.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** A longer text, a jsonb object and an array of numbers beside other columns, and texts alone by a linear model. */
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(`
    create table offers as
      select i as id, format('the %s came with a %s box and it was %s by a neighbour on day %s', (array['lamp', 'door', 'vase'])[1 + i % 3],
               (array['red', 'blue'])[1 + i % 2], case when i % 7 < 3 then 'broken' else 'adored' end, i) as body,
        i % 50 as price, (array['acme', 'zeta', null])[1 + i % 3] as brand,
        jsonb_build_object('stars', i % 5, 'seller', format('seller %s', i % 90), 'more', jsonb_build_object('a', i)) as extra,
        array[i % 4, null, i % 9] as sizes, to_jsonb(array[i]) as history,
        case when i % 7 < 3 then 'no' else 'yes' end as good
      from generate_series(1, 600) i`);
  processes = await startProcesses(database.service);
  await db.query(`set rafiki.latency_budget = '20 s'`);
}, 120_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const ended = async (train: string): Promise<void> => {
  const [study] = await db.query<{ id: number }>(`select ${train} as id`);
  expect(await db.query('select rafiki_wait($1) as state', [study!.id])).toEqual([{ state: 'completed' }]);
};

test('columns of JSON that are no objects are left out, others are read', async () => {
  const notices = await noticesOf(
    db,
    `begin; select rafiki_train('tabular_classification', 'offers', target => 'good', max_trials => 1); rollback`,
  );
  expect(notices.find((notice) => notice.startsWith('left out'))).toContain('history (no JSON object in some rows)');
  const [study] = await db.query(
    `select array_agg(c.name || ' ' || c.kind order by c.place) as kinds from rafiki._column_kinds('offers') c where c.name in ('body', 'extra', 'sizes')`,
  );
  expect(study).toEqual({ kinds: ['body text', 'extra object', 'sizes list'] });
});

test.each(['gradient_boosting', 'mlp', 'linear'])('%s learns what the words of a text say', async (family) => {
  await ended(
    `rafiki_train('tabular_classification', 'offers', target => 'good', features => '{body,price,brand,extra,sizes}', model => '${family}',
       families => '{${family}}', max_trials => 1, max_time => '5 min', seed => 1, knobs => '{"epochs": 10}')`,
  );
  const [right] = await db.query<{ share: number }>(
    `select avg((rafiki_predict('${family}', o) = good)::int)::float8 as share from offers o where id <= 100`,
  );
  expect(right?.share).toBeGreaterThan(0.95);
  const given = `'body', 'it was adored', 'price', null, 'brand', 'new'`;
  const [answers] = await db.query<{ plain: string; empty: string; other: string }>(
    `select rafiki_predict('${family}', jsonb_build_object(${given}, 'extra', null, 'sizes', null)) as plain,
       rafiki_predict('${family}', jsonb_build_object(${given}, 'extra', '{}'::jsonb, 'sizes', '[]'::jsonb)) as empty,
       rafiki_predict('${family}', jsonb_build_object(${given}, 'extra', '{"stars": [1], "new": {}}'::jsonb, 'sizes', '[1, 2, 3, 4]'::jsonb)) as other`,
  );
  for (const answer of Object.values(answers ?? {})) expect(['no', 'yes']).toContain(answer);
  await expect(
    db.query(`select rafiki_predict('${family}', jsonb_build_object(${given}, 'extra', '[1]'::jsonb, 'sizes', null))`),
  ).rejects.toMatchObject({
    sqlstate: '22000',
    message: 'column "extra" cannot be read as a JSON object',
    detail: 'It is an array.',
  });
});

test('a study of texts tries a linear model first, and its answers are right', async () => {
  await ended(
    `rafiki_train('text_classification', 'offers', features => '{body}', target => 'good', model => 'texts', max_trials => 1, seed => 1)`,
  );
  expect(await db.query(`select family from rafiki.trial where refits is null order by id desc limit 1`)).toEqual([
    { family: 'linear_text' },
  ]);
  const [right] = await db.query<{ share: number }>(
    `select avg((rafiki_predict('texts', body) = good)::int)::float8 as share from offers where id <= 100`,
  );
  expect(right?.share).toBe(1);
});
