import { Readable } from 'node:stream';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, type HttpClient, tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { zipOf } from '../support/zip.ts';

/** Uploads that append to tables. */
let database: TestDatabase;
let http: TestHttp;
let ann: HttpClient;
let role: string;

beforeAll(async () => {
  database = await createTestDatabase();
  http = await startHttp(database);
  ({ client: ann, role } = await http.as('ann'));
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

const csv = { 'content-type': 'text/csv' };
const lines = { 'content-type': 'application/x-ndjson' };
const parquet = { 'content-type': 'application/vnd.apache.parquet' };
const zip = { 'content-type': 'application/zip' };

const append = (name: string, body: unknown, type: Record<string, string> = csv, client = ann) =>
  client('POST', `/v1/datasets/${name}/rows`, body, type);

/** A table that ann may insert into, and not read. */
const create = async (name: string, columns: string): Promise<void> => {
  await database.db.query(`create table public.${name} (${columns}); grant insert on public.${name} to ${role}`);
};

const rowsOf = (name: string) => database.db.query(`select * from public.${name}`);

const parquetOf = (columnData: Parameters<typeof parquetWriteBuffer>[0]['columnData']) =>
  new Uint8Array(parquetWriteBuffer({ columnData }));

describe('each format', () => {
  test('CSV: with the types of the table, and the defaults of columns that are not in the file', async () => {
    await create(
      'films',
      `id int generated always as identity, body text, code text default 'none', stars numeric(3, 1), day date, tags text[],
       length int generated always as (length(body)) stored`,
    );
    const body = 'day,body,stars,tags\n2026-01-02,"a, ""b""\nc",4.25,"{x,y}"\n,,,\n,007\\n,0,{}\n';
    expect(await append('films', body)).toMatchObject({
      status: 201,
      body: {
        dataset: 'public.films',
        rows: 3,
        columns: [
          { name: 'day', type: 'date' },
          { name: 'body', type: 'text' },
          { name: 'stars', type: 'numeric(3,1)' },
          { name: 'tags', type: 'text[]' },
        ],
      },
    });
    expect((await append('public.films', 'code\nx\n')).body).toMatchObject({ rows: 1 });
    const nothing = { day: null, body: null, stars: null, tags: null, length: null };
    expect(await database.db.query(`select *, day::text as day from public.films`)).toEqual([
      { id: 1, day: '2026-01-02', body: 'a, "b"\nc', code: 'none', stars: '4.3', tags: ['x', 'y'], length: 8 },
      { ...nothing, id: 2, code: 'none' },
      { ...nothing, id: 3, body: '007\\n', code: 'none', stars: '0.0', tags: [], length: 5 },
      { ...nothing, id: 4, code: 'x' },
    ]);
  });

  test('JSON lines: also lists and objects, and empty texts are NULL', async () => {
    await create('lines', `n bigint, body text, tags int[], more jsonb, seen boolean default true`);
    const body = [
      { n: 1, body: 'a\t"b"', tags: [1, 2], more: { a: [] } },
      { body: '', n: '' },
      { body: { a: 1 }, more: 'x', tags: null },
    ];
    const sent = `${body.map((line) => JSON.stringify(line)).join('\n')}\n{"n": 9007199254740993, "body": 1.50}`;
    expect(await append('lines', sent, lines)).toMatchObject({ status: 201, body: { rows: 4 } });
    expect(await database.db.query('select n::text, body, tags, more, seen from public.lines')).toEqual([
      { n: '1', body: 'a\t"b"', tags: [1, 2], more: { a: [] }, seen: true },
      { n: null, body: null, tags: null, more: null, seen: true },
      { n: null, body: '{"a":1}', tags: null, more: 'x', seen: true },
      { n: '9007199254740993', body: '1.50', tags: null, more: null, seen: true },
    ]);
  });

  test('Parquet', async () => {
    await create('numbers', `name varchar(5), n smallint, at timestamptz default '2026-01-01', image bytea`);
    const bytes = parquetOf([
      { name: 'n', data: [1n, 2n], type: 'INT64' },
      { name: 'image', data: [new Uint8Array([0, 255]), null], type: 'BYTE_ARRAY' },
      { name: 'name', data: ['', 'ü'], type: 'STRING' },
    ]);
    expect(await append('numbers', bytes, parquet)).toMatchObject({ status: 201, body: { rows: 2 } });
    expect(await rowsOf('numbers')).toMatchObject([
      { name: '', n: 1, image: Buffer.from([0, 255]), at: expect.any(Date) },
      { name: 'ü', n: 2, image: null },
    ]);
    const asTexts = parquetOf([{ name: 'name', data: [new Uint8Array([1])], type: 'BYTE_ARRAY' }]);
    expect(await append('numbers', asTexts, parquet)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('"name" of the uploaded file has bytes') } },
    });
  });

  test('a zip of images', async () => {
    await create('flowers', `id int generated by default as identity, name text, label text, image bytea not null`);
    const archive = zipOf([{ name: 'rose/1.jpg', bytes: Buffer.from('x') }]);
    expect(await append('flowers', archive, zip)).toMatchObject({ status: 201, body: { rows: 1 } });
    expect(await rowsOf('flowers')).toEqual([{ id: 1, name: 'rose/1.jpg', label: 'rose', image: Buffer.from('x') }]);
  });

  test('triggers run as usual, and rows that they leave out are not counted', async () => {
    await create('marked', 'body text, label text');
    await database.db.query(`
      create function public.mark() returns trigger language plpgsql as $$
      begin new.label := upper(new.body); return case when new.body <> 'no' then new end; end $$;
      create trigger mark before insert on public.marked for each row execute function public.mark()`);
    expect((await append('marked', 'body\na\nno\nb\n')).body).toMatchObject({ rows: 2 });
    expect(await rowsOf('marked')).toMatchObject([{ label: 'A' }, { label: 'B' }]);
  });
});

describe('what does not fit appends nothing', () => {
  const long = Array.from({ length: 200_000 }, (_, i) => `${i},abc`).join('\n');

  beforeAll(async () => {
    await create(
      'strict',
      `id int generated always as identity, n int check (n < 1000000), name varchar(3) not null default 'a', double int generated always as (n * 2) stored`,
    );
  });

  test.each<[string, unknown, Record<string, string>, number, object]>([
    [
      'a column that the table does not have',
      'n,more,N\n1,2,3\n',
      csv,
      400,
      {
        code: '22000',
        detail: 'public.strict has no "more", "N".',
        hint: 'Its columns are "n", "name".',
      },
    ],
    [
      'the same in JSON',
      '{"n": 1}\n{"n": 2, "more": 1}\n',
      lines,
      400,
      { code: '22000', detail: 'public.strict has no "more".' },
    ],
    ['a generated column', 'n,double\n1,2\n', csv, 400, { code: '22000', hint: expect.stringContaining('Leave') }],
    ['an identity', 'id,n\n1,2\n', csv, 400, { code: '22000', detail: expect.stringContaining('"id"') }],
    [
      'another type',
      `n,name\n1,a\n\n2,b\n"x",c\n${long}`,
      csv,
      400,
      { code: '22P02', detail: 'It is in row 3, column "n".', hint: expect.any(String) },
    ],
    [
      'a text that is too long',
      'n,name\n1,abcd\n',
      csv,
      400,
      { code: '22001', detail: 'It is in row 1, column "name".' },
    ],
    ['the same in JSON', '{"name": "abcd"}', lines, 400, { code: '22001' }],
    [
      'another type in JSON',
      '{"n": 1}\n{"n": "x"}',
      lines,
      400,
      { code: '22P02', message: expect.stringContaining('"x"') },
    ],
    ['NULL', 'n,name\n1,a\n2,\n', csv, 409, { code: '23502' }],
    ['a constraint', 'n\n1\n1000000\n', csv, 409, { code: '23514' }],
    ['a row with too few fields', 'n,name\n1,a\n2\n', csv, 400, { message: 'the uploaded file is not CSV' }],
    [
      'a number that is too large, in Parquet',
      parquetOf([{ name: 'n', data: [1n, 2n ** 40n], type: 'INT64' }]),
      parquet,
      400,
      { code: '22003', detail: 'It is in row 2, column "n".' },
    ],
    [
      'images in a table without columns for them',
      zipOf([{ name: 'a/1.jpg', bytes: Buffer.from('x') }]),
      zip,
      400,
      { code: '22000', detail: expect.stringContaining('"label", "image"') },
    ],
  ])('%s', async (_, body, type, status, error) => {
    expect(await append('strict', body, type)).toMatchObject({ status, body: { error } });
    expect(await rowsOf('strict')).toEqual([]);
  });

  test('a client that leaves; and until the last byte has come, the table is not locked', async () => {
    await create('slow', 'n int');
    const client = new AbortController();
    let more = (): void => undefined;
    const waited = new Promise<void>((resolve) => {
      more = resolve;
    });
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from(`n\n${'1\n'.repeat(100_000)}`);
      await waited;
      yield Buffer.from('2\n');
    }
    const sent = fetch(`${http.url}/v1/datasets/slow/rows`, {
      method: 'POST',
      headers: { ...csv, authorization: basic(role) },
      body: Readable.toWeb(Readable.from(body())) as ReadableStream,
      duplex: 'half',
      signal: client.signal,
    } as RequestInit);
    sent.catch(() => undefined);
    const copies = async () =>
      (
        await database.db.query<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where usename = $1 and state = 'active' and query like 'copy %'`,
          [role],
        )
      )[0]?.n;
    await expect.poll(copies).toBe(1);
    await database.db.query(`set lock_timeout = '1s'; alter table public.slow add column m int`);
    client.abort();
    await expect(sent).rejects.toThrow();
    more();
    await expect.poll(copies).toBe(0);
    expect(await rowsOf('slow')).toEqual([]);
  });
});

describe('who may append to what', () => {
  test('the right of INSERT decides; a token has none', async () => {
    await database.db.query('create table public.others (n int, m int)');
    expect(await append('others', 'n\n1\n')).toMatchObject({
      status: 403,
      body: { error: { code: '42501', hint: `Have its owner run: grant insert on public.others to ${role};` } },
    });
    await database.db.query(`grant insert (n) on public.others to ${role}`);
    expect((await append('others', 'm\n1\n')).body).toMatchObject({ error: { code: '42501' } });
    expect((await append('others', 'n\n1\n')).body).toMatchObject({ rows: 1 });
    const session = await database.as('ann');
    const [row] = await session.query<{ token: string }>(`select rafiki_create_token('app') as token`);
    const answer = await append('others', 'n\n1\n', csv, tokenClient(http.url, row?.token ?? ''));
    expect(answer).toMatchObject({ status: 403, body: { error: { message: expect.stringContaining('password') } } });
    expect(await rowsOf('others')).toEqual([{ n: 1, m: null }]);
  });

  test('what is no table, or not there', async () => {
    await database.db.query(`
      create view public.shown as select 1 as n; grant all on public.shown to ${role};
      create materialized view public.kept as select 1 as n; grant all on public.kept to ${role};
      create sequence public.counted; grant all on public.counted to ${role}`);
    for (const name of ['shown', 'kept', 'counted']) {
      expect([name, (await append(name, 'n\n1\n')).body]).toMatchObject([
        name,
        { error: { code: '42809', message: `public.${name} is no table`, hint: expect.any(String) } },
      ]);
    }
    expect(await append('none', 'n\n1\n')).toMatchObject({ status: 404, body: { error: { code: '42P01' } } });
    expect((await append('a.b.c', 'n\n1\n')).status).toBe(400);
    expect((await ann('GET', '/v1/datasets/shown/rows')).status).toBe(405);
  });

  test('partitions take their rows', async () => {
    await database.db.query(`
      create table public.parted (n int) partition by list (n); create table public.part_1 partition of public.parted for values in (1);
      grant insert on public.parted to ${role}`);
    expect((await append('parted', 'n\n1\n1\n')).body).toMatchObject({ rows: 2 });
    expect((await append('parted', 'n\n1\n2\n')).body).toMatchObject({ error: { code: '23514' } });
    expect(await rowsOf('part_1')).toHaveLength(2);
  });

  test('row-level security is kept to', async () => {
    await create('mine', 'owner text default current_user, n int');
    await database.db.query(`alter table public.mine enable row level security;
      create policy own on public.mine for insert with check (owner = current_user and n > 0)`);
    expect((await append('mine', 'n\n1\n2\n')).body).toMatchObject({ rows: 2 });
    for (const body of ['n\n1\n0\n', `owner,n\n${role},1\nbob,2\n`]) {
      expect(await append('mine', body)).toMatchObject({
        status: 403,
        body: { error: { code: '42501', message: expect.stringContaining('row-level security') } },
      });
    }
    expect(await rowsOf('mine')).toHaveLength(2);
  });

  test('the tables of Rafiki and of Postgres are no data sets, whoever asks', async () => {
    const root = await http.as('root');
    await database.db.query(`alter role ${root.role} superuser`);
    for (const client of [ann, root.client]) {
      for (const name of ['rafiki.study', 'rafiki.model', 'pg_catalog.pg_class', 'information_schema.sql_features']) {
        const answer = await append(name, 'id\n1\n', csv, client);
        expect([name, answer]).toMatchObject([name, { status: 403, body: { error: { code: '42501' } } }]);
      }
    }
  });
});
