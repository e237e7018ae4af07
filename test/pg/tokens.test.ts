import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { asReader } from '../../src/db/reader-login.ts';
import { FairGate } from '../../src/http/fair-gate.ts';
import { defaultHttpLimits } from '../../src/http/limits.ts';
import { TokenSignIns } from '../../src/http/sign-in/token-sign-ins.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { sha256 } from '../support/token-stage.ts';

let database: TestDatabase;
let http: TestHttp;
let ann: Database;
let annRole: string;
let bobRole: string;

const create = async (session: Database, name: string, validFor = '1 day'): Promise<string> => {
  const [row] = await session.query<{ token: string }>('select rafiki_create_token($1, $2::interval) as token', [
    name,
    validFor,
  ]);
  return row?.token ?? '';
};

beforeAll(async () => {
  database = await createTestDatabase();
  http = await startHttp(database);
  ({ role: annRole } = await http.as('ann'));
  ann = await database.as('ann');
  ({ role: bobRole } = await http.as('bob'));
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

describe('in SQL', () => {
  test('a token is shown once, listed and revoked', async () => {
    const token = await create(ann, 'first');
    expect(token).toMatch(/^rafiki_[0-9a-f]{64}$/);
    expect(await ann.query('select name, role::text, used_at from rafiki.tokens')).toEqual([
      { name: 'first', role: annRole, used_at: null },
    ]);
    const [stored] = await database.db.query<{ row: string }>('select t::text as row from rafiki.token t');
    expect(stored?.row).not.toContain(token.slice(7));
    const functions = await database.db.query<{ prosrc: string }>(
      `select prosrc from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`,
    );
    expect(functions).toHaveLength(1);
    await ann.query(`select rafiki_revoke_token('first')`);
    expect(await ann.query('select from rafiki.tokens')).toEqual([]);
    expect(await database.db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual(
      [],
    );
  });

  test.each([
    [`select rafiki_create_token(null)`, '22004'],
    [`select rafiki_create_token('')`, '42602'],
    [`select rafiki_create_token(e'a\\nb')`, '42602'],
    [`select rafiki_create_token(repeat('a', 101))`, '42602'],
    [`select rafiki_create_token('a', '0')`, '22023'],
    [`select rafiki_create_token('a', '-1 day')`, '22023'],
    [`select rafiki_create_token('a', '367 days')`, '22023'],
    [`select rafiki_create_token('a', '100000 years')`, '22023'],
    [`select rafiki_create_token('a', null)`, '22004'],
    [`select rafiki_create_token('a', only_predicts => null)`, '22004'],
    [`select rafiki_revoke_token('none')`, '42704'],
    [`select rafiki_revoke_token(null)`, '22004'],
  ])('%s raises %s', async (sql, code) => {
    expect(await failureOf(ann, sql)).toMatchObject({ code, hint: expect.any(String) });
  });

  test('names are unique for a role, and their number is bounded', async () => {
    await database.db.query(`update rafiki.quota set value = 2 where name = 'tokens'`);
    await create(ann, 'one');
    expect(await failureOf(ann, `select rafiki_create_token('one')`)).toMatchObject({ code: '42710' });
    await create(ann, 'two');
    expect(await failureOf(ann, `select rafiki_create_token('three')`)).toMatchObject({ code: '53400' });
    await create(await database.as('bob'), 'one');
    await database.db.query(`update rafiki.quota set value = 50 where name = 'tokens'`);
    await ann.query(`select rafiki_revoke_token('one'), rafiki_revoke_token('two')`);
    await database.db.query('select rafiki_revoke_token($1, $2)', ['one', bobRole]);
  });

  test('expired ones are deleted, with their functions', async () => {
    await create(ann, 'short', '1 ms');
    expect(await ann.query('select from rafiki.tokens')).toEqual([]);
    await database.service.query('select rafiki._drop_readers()');
    expect(await database.db.query('select from rafiki.token')).toEqual([]);
    expect(await database.db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual(
      [],
    );
  });

  test('a function that makes other calls than its token may is worth nothing', async () => {
    const [row] = await ann.query<{ token: string }>(
      `select rafiki_create_token('narrow', only_predicts => true) as token`,
    );
    const client = tokenClient(http.url, row?.token ?? '');
    expect((await client('GET', '/v1/me')).status).toBe(200);
    expect((await client('GET', '/v1/studies')).status).toBe(403);
    const isLive = async (): Promise<boolean> =>
      (await database.service.query('select from rafiki._live_token($1)', [sha256(sha256(row?.token ?? ''))]))
        .length === 1;
    const [made] = await ann.query<{ sql: string }>(
      `select pg_get_functiondef(p.oid) as sql from pg_proc p
       where p.pronamespace = 'rafiki_reader'::regnamespace and p.prosrc like '%rafiki.\\_predicting(%'`,
    );
    await ann.query(made?.sql ?? '');
    expect(await isLive()).toBe(true); // the same text
    await ann.query(made?.sql.replace('rafiki._predicting(', 'rafiki._http(') ?? '');
    expect(await isLive()).toBe(false);
    expect((await client('GET', '/v1/studies')).status).toBe(401);
    await ann.query(`select rafiki_revoke_token('narrow')`);
  });

  test('functions of valid tokens stay', async () => {
    const client = tokenClient(http.url, await create(ann, 'stays'));
    await database.service.query('select rafiki._drop_readers()');
    expect((await client('GET', '/v1/me')).body).toEqual({ role: annRole, roles: [] });
    await ann.query(`select rafiki_revoke_token('stays')`);
  });
});

test('a use is noted once a minute, not whenever a token is looked up', async () => {
  const token = await create(ann, 'noted');
  const clock = new ManualClock();
  const { service } = database;
  const statements = new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 });
  const signIns = new TokenSignIns({
    ...{ database: service, readerUrl: asReader(service.url), api: 'public', limits: defaultHttpLimits },
    ...{ statements, clock, logger: silentLogger },
  });
  const asked = vi.spyOn(service, 'query');
  const updates = (): number => asked.mock.calls.filter(([sql]) => sql.includes('update rafiki.token')).length;
  const usedAt = async () => (await ann.query(`select used_at from rafiki.tokens where name = 'noted'`))[0];
  try {
    await signIns.enter(token);
    await expect.poll(usedAt).not.toEqual({ used_at: null });
    for (let i = 0; i < 3; i++) {
      clock.advance(10_000); // looked up before the request
      await signIns.kept(token);
    }
    expect(updates()).toBe(1);
    await database.db.query(`update rafiki.token set used_at = now() - interval '61 s' where name = 'noted'`);
    clock.advance(10_000);
    await signIns.kept(token);
    expect(updates()).toBe(2);
  } finally {
    asked.mockRestore();
    await signIns.stop();
    await ann.query(`select rafiki_revoke_token('noted')`);
  }
});

test('tokens of one role together keep few sessions', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `many ${i}`);
  let most = 0;
  for (const name of names) {
    const client = tokenClient(http.url, await create(ann, name));
    const answers = await Promise.all([1, 2, 3].map(() => client('GET', '/v1/models')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [row] = await database.db.query<{ open: number }>(
      `select count(*)::int as open from pg_stat_activity where usename = 'rafiki_reader' and application_name = 'rafiki http'
         and datname = current_database()`,
    );
    most = Math.max(most, row?.open ?? 0);
  }
  expect(most).toBeLessThan(2 * names.length); // of 36 that would be idle; those of a call that has ended may still be closing
  for (const name of names) await ann.query('select rafiki_revoke_token($1)', [name]);
});
