import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RightsWatch } from '../../src/coordinator/rights-watch.ts';
import type { Database } from '../../src/db/database.ts';
import { renewKeys } from '../../src/db/statements/serving/keys.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let db: Database;
let watch: RightsWatch;
const names: Record<string, string> = {};

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  for (const role of ['owner', 'team', 'member', 'other']) {
    const session = await database.as(role);
    names[role] = (await session.query<{ name: string }>('select current_user::text as name'))[0]?.name ?? '';
  }
  await db.query(`grant ${names['team']} to ${names['member']}`);
  await db.query(`
    insert into rafiki.model (name, task, owner) values
      ('granted', 'sentiment', '${names['owner']}'::regrole), ('private', 'sentiment', '${names['owner']}'::regrole)`);
  await db.query(`select rafiki_grant('granted', '${names['team']}')`);
  watch = new RightsWatch(silentLogger);
  await watch.check(database.service);
});
afterEach(() => database.drop());

const keys = async (): Promise<Record<string, string>> => {
  const rows = await db.query<{ name: string; key: string }>('select name, key from rafiki.model_access order by name');
  return Object.fromEntries(rows.map(({ name, key }) => [name, key]));
};

/** The models that have another key after `change`, once the coordinator has looked. */
async function renewedBy(change: string): Promise<string[]> {
  const before = await keys();
  await db.query(change);
  await watch.check(database.service);
  const after = await keys();
  return Object.keys(after).filter((model) => after[model] !== before[model]);
}

test('keys that change meanwhile do not prevent an owner from changing a model', async () => {
  let going = true;
  const before = await keys();
  const renewing = (async () => {
    while (going) await renewKeys(database.service, [0]);
  })();
  try {
    for (let i = 0; i < 300; i++)
      await db.query(`select rafiki_grant('private', 'pg_monitor'), rafiki_undeploy('granted')`);
  } finally {
    going = false;
    await renewing;
  }
  expect((await keys())['private']).not.toBe(before['private']);
});

describe('keys follow rights', () => {
  test('of a role that leaves a role with a grant, at any depth', async () => {
    expect(await renewedBy(`revoke ${names['team']} from ${names['member']}`)).toEqual(['granted']);
    await db.query(`grant ${names['team']} to ${names['other']}`);
    await db.query(`grant ${names['other']} to ${names['member']}`);
    await watch.check(database.service);
    expect(await renewedBy(`revoke ${names['other']} from ${names['member']}`)).toEqual(['granted']);
  });

  test('of a member that no longer inherits', async () => {
    const [team, member] = [names['team'], names['member']];
    const change =
      postgresVersion() >= 16 ? `grant ${team} to ${member} with inherit false` : `alter role ${member} noinherit`;
    expect(await renewedBy(change)).toEqual(['granted']);
    expect(await renewedBy(`revoke ${team} from ${member}`)).toEqual([]);
  });

  test('of a member of the owner', async () => {
    await db.query(`grant ${names['owner']} to ${names['other']}`);
    await watch.check(database.service);
    expect(await renewedBy(`revoke ${names['owner']} from ${names['other']}`)).toEqual(['granted', 'private']);
  });

  test('of the former owner of the database, if the grant is to pg_database_owner', async () => {
    await db.query(`select rafiki_grant('granted', 'pg_database_owner')`);
    const [{ name } = { name: '' }] = await db.query<{ name: string }>('select current_database() as name');
    await db.query(`alter database ${name} owner to ${names['other']}`);
    await watch.check(database.service);
    expect(await renewedBy(`alter database ${name} owner to ${names['member']}`)).toEqual(['granted']);
    expect(await renewedBy('select 1')).toEqual([]);
  });

  test('of a former superuser, or a role formerly exempt from row-level security', async () => {
    await db.query(`alter role ${names['other']} superuser`);
    await watch.check(database.service);
    expect(await renewedBy(`alter role ${names['other']} nosuperuser`)).toEqual(['granted', 'private']);
    await db.query(`alter role ${names['other']} bypassrls`);
    await watch.check(database.service);
    expect(await renewedBy(`alter role ${names['other']} nobypassrls`)).toEqual(['granted', 'private']);
  });

  test('of studies that have ended: a former member cannot drop one with a key that it has seen', async () => {
    const [owner, member] = [await database.as('owner'), await database.as('member')];
    const [study] = await db.query<{ id: number }>(
      `insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state)
       values ($1::regrole, 'sentiment', 'pg_class', 'm', 'label', '{body}', 1, '1 min', 0.2, 1, 'completed') returning id`,
      [names['owner']],
    );
    await db.query(`grant ${names['owner']} to ${names['member']}`);
    await watch.check(database.service);
    const [seen] = await member.query<{ key: string }>(`select key #>> '{}' as key from rafiki.study_ownership`);
    await db.query(`revoke ${names['owner']} from ${names['member']}`);
    await watch.check(database.service);
    expect(await member.query('select rafiki._delete_study($1::uuid) as done', [seen?.key])).toEqual([{ done: false }]);
    await owner.query('select rafiki_drop_study($1)', [study?.id]);
    expect(await db.query('select from rafiki.study')).toEqual([]);
  });

  test('of tokens: a former member cannot end one with a key that it has seen', async () => {
    const [other, member] = [await database.as('other'), await database.as('member')];
    await other.query(`select rafiki_create_token('app')`);
    await db.query(`grant ${names['other']} to ${names['member']}`);
    await watch.check(database.service);
    const [seen] = await member.query<{ key: string }>(`select key #>> '{}' as key from rafiki.token_ownership`);
    await db.query(`revoke ${names['other']} from ${names['member']}`);
    await watch.check(database.service);
    expect(await member.query('select rafiki._remove_token($1::uuid) as done', [seen?.key])).toEqual([{ done: false }]);
    await other.query(`select rafiki_revoke_token('app')`);
    expect(await db.query('select from rafiki.token')).toEqual([]);
  });

  test('and stay if no role lost a right', async () => {
    expect(await renewedBy(`grant ${names['team']} to ${names['other']}`)).toEqual([]);
    expect(await renewedBy('select 1')).toEqual([]);
  });

  test('are all renewed when a coordinator begins; a model that its owner is changing gets its key later', async () => {
    const before = await keys();
    const held = await db.connect(() => undefined);
    await held.query('begin');
    await held.query(`select from rafiki.model where name = 'private' for update`);
    const next = new RightsWatch(silentLogger);
    await next.check(database.service);
    const meanwhile = await keys();
    expect([meanwhile['granted'] !== before['granted'], meanwhile['private'] === before['private']]).toEqual([
      true,
      true,
    ]);
    await held.query('rollback');
    await held.close();
    await next.check(database.service);
    expect((await keys())['private']).not.toBe(before['private']);
  });
});
