import { afterAll, beforeAll, expect, test } from 'vitest';
import { basic } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** A client that has left: what runs for it in Postgres ends. */
let database: TestDatabase;
let http: TestHttp;
let role: string;
const headers: Record<string, string> = {};

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  http = await startHttp(database);
  ({ role } = await http.as('ann'));
  const ann = await database.as('ann');
  await db.query(`create schema authorization ${role}`);
  // statements that take long, and one that does not let itself be cancelled
  await ann.query(
    `create function ${role}.wait() returns text language plpgsql as $$ begin perform pg_sleep(300); return 'x'; end $$`,
  );
  await ann.query(`
    create function ${role}.stubborn() returns text language plpgsql as $$
    begin
      for i in 1..300 loop
        begin perform pg_sleep(1); exception when query_canceled then null; end;
      end loop;
      return 'x';
    end $$`);
  for (const name of ['wait', 'stubborn'])
    await ann.query(
      `create view ${role}.${name}_rows as select ${role}.${name}() as body, 'pos'::text as label from generate_series(1, 3)`,
    );
  const [token] = await ann.query<{ token: string }>(`select rafiki_create_token('app') as token`);
  headers['password'] = basic(role);
  headers['token'] = `Bearer ${token?.token}`;
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

const running = async (): Promise<number> => {
  const [row] = await database.db.query<{ count: number }>(
    `select count(*) from pg_stat_activity where application_name = 'rafiki http' and datname = current_database() and state = 'active' and usename in ($1, 'rafiki_reader')`,
    [role],
  );
  return row?.count ?? 0;
};

test.each([
  ['password', 'wait'],
  ['token', 'wait'],
  ['password', 'stubborn'],
  ['token', 'stubborn'],
] as const)(
  'by %s, over %s',
  async (by, view) => {
    const client = new AbortController();
    const asked = fetch(`${http.url}/v1/studies`, {
      method: 'POST',
      headers: { authorization: headers[by] ?? '', 'content-type': 'application/json' },
      body: JSON.stringify({ task: 'sentiment', source: `${role}.${view}_rows`, features: ['body'], target: 'label' }),
      signal: client.signal,
    });
    asked.catch(() => undefined);
    await expect.poll(running, { timeout: 20_000 }).toBe(1);
    client.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(running, { timeout: 25_000 }).toBe(0);
    // its place is free again
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        fetch(`${http.url}/v1/studies`, { headers: { authorization: headers[by] ?? '' } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  },
  60_000,
);
