import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, type HttpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let http: TestHttp;
let ann: HttpClient;
let role: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  http = await startHttp(database);
  ({ client: ann, role } = await http.as('ann'));
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

const noTable = async (name: string): Promise<void> =>
  expect(await database.db.query(`select to_regclass('public.${name}') as oid`)).toEqual([{ oid: null }]);

describe('texts', () => {
  test.each([
    ['a quote within a field', 'a,b\nx "y,2\n', /not CSV/],
    ['a quote that does not end', 'a,b\n"x,2\n', /not CSV/],
    ['a row with too few fields', 'a,b\nx\n', /not CSV/],
    ['a row with too many fields', 'a,b\nx,y,z\n', /not CSV/],
    ['semicolons', 'label;body\nham;hello, again\n', /otherwise than by commas/],
    ['quotes and semicolons', '"label";"body"\n"ham";"hello"\n', /otherwise than by commas/],
    ['tabs', 'label\tbody\nham\thello\n', /otherwise than by commas/],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a]), /UTF-8/],
  ])('%s is an error of the file', async (_, body, message) => {
    const answer = await ann<{ error?: { message: string; hint?: string } }>('POST', '/v1/datasets/bad', body, {
      'content-type': 'text/csv',
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ message: expect.stringMatching(message), hint: expect.any(String) });
    await noTable('bad');
  });
});

test.each(['{"a": 1}\n\n[1]\n', '{"a": 1}\n\nnot\n', '{"a": 1}\n\n{"a": ', '{"a": 1}\n\n"x"'])(
  'JSON lines %j: the error names the line',
  async (body) => {
    const answer = await ann('POST', '/v1/datasets/bad', body, { 'content-type': 'application/x-ndjson' });
    expect(answer).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining('line 3') } } });
    await noTable('bad');
  },
);

test('dates and times are columns of these types', async () => {
  const body = 'day,at,almost\n2024-02-29,2026-11-29 10:00,2026-02-28\n,,2026-02-30\n';
  const uploaded = await ann('POST', '/v1/datasets/days', body, { 'content-type': 'text/csv' });
  expect(uploaded).toMatchObject({
    body: { rows: 2, columns: [{ type: 'date' }, { type: 'timestamp' }, { type: 'text' }] },
  });
});

test('a name in quotes may have a semicolon', async () => {
  const { body } = await ann('POST', '/v1/datasets/quoted', '"a;b"\n1\n', { 'content-type': 'text/csv' });
  expect(body).toMatchObject({ rows: 1, columns: [{ name: 'a;b' }] });
});

test('long whole numbers keep their digits', async () => {
  const { body } = await ann(
    'POST',
    '/v1/datasets/accounts',
    'account,n\n12345678901234567890,1\n12345678901234567891,2\n',
    {
      'content-type': 'text/csv',
    },
  );
  expect(body).toMatchObject({ columns: [{ type: 'numeric' }, { type: 'bigint' }] });
  expect(await database.db.query('select count(distinct account)::int as n from public.accounts')).toEqual([{ n: 2 }]);
});

describe('the place', () => {
  test('is the schema of the role if there is one, where its name is looked for', async () => {
    const { client, role } = await http.as('bob');
    const upload = (text: string) => client('POST', '/v1/datasets/shadow', text, { 'content-type': 'text/csv' });
    expect((await upload('a\n1\n')).body).toMatchObject({ dataset: 'public.shadow' });
    await database.db.query(`create schema authorization ${role}`);
    expect((await upload('a\n1\n2\n')).body).toMatchObject({ dataset: `${role}.shadow`, rows: 2 });
    expect((await client('GET', '/v1/datasets/shadow')).body).toMatchObject({ schema: role });
    expect((await client('DELETE', '/v1/datasets/shadow')).status).toBe(200);
    expect((await client('GET', '/v1/datasets/shadow')).body).toMatchObject({ schema: 'public' });
  });

  test('where the role may create nothing, the refusal says what helps', async () => {
    await database.db.query('create schema closed');
    const { client, role } = await http.as('cid');
    const answer = await client('POST', '/v1/datasets/t?schema=closed', 'a\n1\n', { 'content-type': 'text/csv' });
    expect(answer).toMatchObject({
      status: 403,
      body: {
        error: {
          code: '42501',
          message: 'permission denied for schema closed',
          hint: expect.stringContaining(`create schema ${role} authorization ${role};`),
        },
      },
    });
  });
});

describe('time', () => {
  test('counts while no byte comes, not while Postgres takes them', async () => {
    const slow = await startHttp(database, { limits: { requestMs: 1_000 } });
    const { client } = await slow.as('ann');
    await database.db.query(`create table public.busy (x int)`);
    async function* rows(pauses: readonly number[]): AsyncGenerator<Buffer> {
      yield Buffer.from('a\n');
      for (const ms of pauses) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        yield Buffer.from('1\n');
      }
    }
    const send = (name: string, pauses: readonly number[]) =>
      client('POST', `/v1/datasets/${name}`, Readable.toWeb(Readable.from(rows(pauses))), {
        'content-type': 'text/csv',
      });
    expect(await send('patient', [600, 600, 600, 600, 600, 600])).toMatchObject({ status: 201, body: { rows: 6 } });
    expect(await send('stalled', [60_000]).catch((error: Error) => error)).toMatchObject({
      status: 408,
      body: { error: { code: '57014', detail: expect.stringContaining('1 s') } },
    });
    await noTable('stalled');
    await slow.server.stop();
  });

  test('is bounded as a whole, also before the header has come', async () => {
    const short = await startHttp(database, { limits: { longStatementMs: 1_500 } });
    const { client } = await short.as('ann');
    async function* letters(): AsyncGenerator<Buffer> {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        yield Buffer.from('a');
      }
    }
    const body = Readable.toWeb(Readable.from(letters()));
    expect(await client('POST', '/v1/datasets/endless', body, { 'content-type': 'text/csv' })).toMatchObject({
      status: 408,
      body: { error: { code: '57014' } },
    });
    await noTable('endless');
    await short.server.stop();
  });

  test('a length that is too large is refused before the file comes', async () => {
    const tiny = await startHttp(database, { limits: { uploadBytes: 1_000 } });
    const { client } = await tiny.as('ann');
    const answer = await client('POST', '/v1/datasets/large', 'a\n'.repeat(2_000), { 'content-type': 'text/csv' });
    expect(answer).toMatchObject({ status: 413, body: { error: { detail: expect.stringContaining('4000 bytes') } } });
    await tiny.server.stop();
  });
});

test('a file that is refused before its end does not block the next request of its connection', async () => {
  const { hostname, port } = new URL(http.url);
  const socket = connect(Number(port), hostname);
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  const head = `Host: x\r\nAuthorization: ${basic(role)}\r\n`;
  const rows = 'x,y\n'.repeat(250_000);
  const length = 'a,b\n1\n'.length + 2 * rows.length;
  socket.write(
    `POST /v1/datasets/cut HTTP/1.1\r\n${head}Content-Type: text/csv\r\nContent-Length: ${length}\r\n\r\na,b\n1\n${rows}`,
  );
  await expect.poll(() => said).toMatch(/^HTTP\/1.1 400 [\s\S]*not CSV/);
  socket.write(`${rows}GET /v1/me HTTP/1.1\r\n${head}\r\n`);
  await expect.poll(() => said, { timeout: 20_000 }).toContain('HTTP/1.1 200');
  socket.destroy();
});
