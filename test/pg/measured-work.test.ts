import { afterEach, beforeEach, expect, test } from 'vitest';
import { MeasuredWork } from '../../src/coordinator/measured-work.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** Name, or name and state, to value. */
async function measured(isLeading = true): Promise<Record<string, number>> {
  const all = await new MeasuredWork(database.service).measured(isLeading);
  return Object.fromEntries(
    all.flatMap(({ name, values }) =>
      values.map(({ labels, value }) => [`${name.slice('rafiki_'.length)} ${labels['state'] ?? ''}`.trim(), value]),
    ),
  );
}

test('a coordinator that does not lead counts nothing', async () => {
  expect(await measured(false)).toEqual({ coordinator_leading: 0 });
});

test('the leading one counts what ended within the hour, and what waits or has failed', async () => {
  const { db } = database;
  await createReviews(db, 10);
  const [open, failed, old] = [
    await insertStudy(db, { model: 'a' }),
    await insertStudy(db, { model: 'b' }),
    await insertStudy(db, { model: 'c' }),
  ];
  await db.query(`update rafiki.study set state = 'failed', ended_at = now() - interval '1 min' where id = $1`, [
    failed,
  ]);
  await db.query(`update rafiki.study set state = 'failed', ended_at = now() - interval '2 hours' where id = $1`, [
    old,
  ]);
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed, state, attempt, ended_at) values
       ($1, 1, 'fasttext', '{}', 1, 'failed', 2, now()), ($1, 2, 'fasttext', '{}', 1, 'completed', 0, now() - interval '2 hours'),
       ($2, 1, 'fasttext', '{}', 1, 'failed', 1, now()), ($3, 1, 'fasttext', '{}', 1, 'failed', 1, now() - interval '2 hours')`,
    [open, failed, old],
  );
  await db.query(`
    with model as (
      insert into rafiki.model (name, task, owner) select n, 'sentiment', current_user::regrole from unnest('{a,b,c}'::text[]) n returning id, name
    ), version as (
      insert into rafiki.model_version (model_id, version, score, classes) select id, 1, 1, '{neg,pos}' from model returning *
    ), deployed as (
      insert into rafiki.deployment (model_id, version_id, state, created_at)
      select v.model_id, v.id, d.state, now() - d.age from version v join model m on m.id = v.model_id
      join (values (1, 'a', 'ready', '1 min'::interval), (2, 'b', 'ready', '2 days'), (3, 'b', 'failed', '1 min'), (4, 'c', 'failed', '2 days'))
        d (place, model, state, age) on d.model = m.name
      order by d.place
    )
    insert into rafiki.attachment (model_id, target, owner, reader, ticket, waiting_since, to_come)
    select id, 'reviews', current_user::regrole, gen_random_uuid(), '', now() - interval '10 min', 7 from model where name = 'a'`);
  const found = await measured();
  expect(found).toMatchObject({
    ...{ coordinator_leading: 1, 'studies queued': 1, 'studies running': 0 },
    ...{
      'recent_studies failed': 1,
      'recent_studies completed': 0,
      'recent_trials failed': 2,
      'recent_trials completed': 0,
    },
    ...{ recent_lost_attempts: 3, 'deployments ready': 1, 'deployments failed': 1, 'deployments loading': 0 },
    ...{ 'imports queued': 0, fill_waiting_rows: 7 },
  });
  expect(found['fill_lag_seconds']).toBeGreaterThanOrEqual(600);
  expect(found['blob_bytes']).toBeGreaterThan(0);
});

test('what is locked is left out, and the rest is measured', async () => {
  await database.db.transaction(async (tx) => {
    await tx.query('lock table rafiki.blob');
    const found = await measured();
    expect(found['studies queued']).toBe(0);
    expect(found).not.toHaveProperty('blob_bytes');
  });
});
