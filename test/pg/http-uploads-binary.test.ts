import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HttpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type ZippedFile, zipOf } from '../support/zip.ts';

/** Uploads of files that are no texts. */
let database: TestDatabase;
let http: TestHttp;
let ann: HttpClient;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  http = await startHttp(database);
  ({ client: ann } = await http.as('ann'));
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

const file = (name: string, text = name): ZippedFile => ({ name, bytes: Buffer.from(text) });

const uploadZip = (name: string, files: readonly ZippedFile[] | Buffer) =>
  ann('POST', `/v1/datasets/${name}`, Buffer.isBuffer(files) ? files : zipOf(files), {
    'content-type': 'application/zip',
  });

const rows = (name: string): Promise<unknown[]> =>
  database.db.query(`select name, label, convert_from(image, 'utf8') as image from public.${name} order by name`);

const noTable = async (name: string): Promise<void> =>
  expect(await database.db.query(`select to_regclass('public.${name}') as oid`)).toEqual([{ oid: null }]);

describe('a zip of images', () => {
  test('folders are classes', async () => {
    const files = [
      file('flowers/daisy/1.jpg'),
      file('flowers/rose/2.PNG'),
      file('3.webp'),
      file('__MACOSX/._1.jpg'),
      file('flowers/.DS_Store'),
    ];
    expect(await uploadZip('flowers', files)).toMatchObject({
      status: 201,
      body: {
        dataset: 'public.flowers',
        rows: 3,
        columns: [{ type: 'text' }, { type: 'text' }, { name: 'image', type: 'bytea' }],
      },
    });
    expect(await rows('flowers')).toEqual([
      { name: '3.webp', label: null, image: '3.webp' },
      { name: 'flowers/daisy/1.jpg', label: 'daisy', image: 'flowers/daisy/1.jpg' },
      { name: 'flowers/rose/2.PNG', label: 'rose', image: 'flowers/rose/2.PNG' },
    ]);
  });

  test('or labels.csv has them', async () => {
    const labels = 'file,label\nimg/1.jpg,"a, b"\n2.jpg,\n';
    expect(
      await uploadZip('labelled', [file('set/img/1.jpg'), file('set/2.jpg'), file('set/labels.csv', labels)]),
    ).toMatchObject({
      status: 201,
    });
    expect(await rows('labelled')).toMatchObject([{ name: 'set/2.jpg', label: null }, { label: 'a, b' }]);
  });

  const big = Buffer.alloc(40_000_000);
  test.each<[string, readonly ZippedFile[] | Buffer, number, RegExp]>([
    ['no archive', Buffer.from('no zip at all'), 400, /cannot be read/],
    ['a cut archive', zipOf([file('a/1.jpg')]).subarray(0, 40), 400, /cannot be read/],
    ['no image', [file('a/')], 400, /no images/],
    ['an archive in it', [file('a/1.jpg'), { name: 'more.zip', bytes: zipOf([file('b/1.jpg')]) }], 400, /no image/],
    ['a program', [file('a/1.jpg'), file('run.sh')], 400, /no image/],
    ['a way out', [file('../../etc/1.jpg')], 400, /cannot be read/],
    ['a control character', [file('a\n/1.jpg')], 400, /control/],
    ['a long name', [file(`${'a'.repeat(1_001)}.jpg`)], 400, /too long/],
    ['encryption', [{ ...file('a/1.jpg'), flags: 1 }], 400, /encrypted/],
    ['a file that is large', [{ name: 'a/1.jpg', bytes: big }], 413, /40000000 bytes/],
    [
      'a bomb of many files',
      Array.from({ length: 10 }, (_, i) => ({ name: `a/${i}.jpg`, bytes: big.subarray(0, 32_000_000) })),
      413,
      /together/,
    ],
    ['a file that is larger than it says', [{ name: 'a/1.jpg', bytes: big, claims: 10 }], 400, /1.jpg/],
    ['a file that is smaller than it says', [{ ...file('a/1.jpg'), claims: 1000 }], 400, /1.jpg/],
    [
      'labels of files that are not there',
      [file('1.jpg'), file('labels.csv', 'file,label\n2.jpg,a')],
      400,
      /not in the archive/,
    ],
    [
      'two labels of one file',
      [file('1.jpg'), file('labels.csv', 'file,label\n1.jpg,a\n1.jpg,b')],
      400,
      /twice: with label/,
    ],
    ['labels without their columns', [file('1.jpg'), file('labels.csv', 'a,b\n1.jpg,a')], 400, /columns/],
    ['labels that are no CSV', [file('1.jpg'), file('labels.csv', 'file,label\n"1.jpg')], 400, /not CSV/],
    [
      'labels that are not UTF-8',
      [file('1.jpg'), { name: 'labels.csv', bytes: Buffer.from('file,label\n1.jpg,caf\xe9', 'latin1') }],
      400,
      /UTF-8/,
    ],
  ])('%s is refused, and leaves nothing', async (_, files, status, message) => {
    const answer = await uploadZip('refused', files);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringMatching(message)]);
    await noTable('refused');
  });

  test('a table that exists stays', async () => {
    expect((await uploadZip('flowers', [file('a/1.jpg')])).status).toBe(409);
    expect(await rows('flowers')).toHaveLength(3);
  });
});

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>[number];

describe('Parquet', () => {
  const send = (name: string, bytes: Uint8Array) =>
    ann('POST', `/v1/datasets/${name}`, bytes, { 'content-type': 'application/vnd.apache.parquet' });

  test('becomes a table with its types', async () => {
    const bytes = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'id', data: [1n, 2n, 9007199254740993n], type: 'INT64' },
          { name: 'price', data: [1.5, Number.NaN, null], type: 'DOUBLE' },
          { name: 'new', data: [true, false, null], type: 'BOOLEAN' },
          { name: 'text', data: ['a\tb\\n', 'ü"', ''], type: 'STRING' },
          { name: 'at', data: [new Date('2026-01-02T03:04:05.678Z'), null, null], type: 'TIMESTAMP' },
          { name: 'image', data: [new Uint8Array([1, 2, 255]), null, new Uint8Array()], type: 'BYTE_ARRAY' },
          { name: 'more', data: [{ a: [1] }, null, [1]], type: 'JSON' },
        ],
      }),
    );
    const { status, body } = await send('parquet', bytes);
    expect({ status, body }).toMatchObject({ status: 201, body: { rows: 3 } });
    expect(body['columns']).toEqual([
      { name: 'id', type: 'bigint' },
      { name: 'price', type: 'float8' },
      { name: 'new', type: 'boolean' },
      { name: 'text', type: 'text' },
      { name: 'at', type: 'timestamptz' },
      { name: 'image', type: 'bytea' },
      { name: 'more', type: 'jsonb' },
    ]);
    expect(
      await database.db.query(
        `select id::text, price::text, new, text, at, image, more from public.parquet order by id`,
      ),
    ).toEqual([
      {
        ...{ id: '1', price: '1.5', new: true, text: 'a\tb\\n', at: new Date('2026-01-02T03:04:05.678Z') },
        ...{ image: Buffer.from([1, 2, 255]), more: { a: [1] } },
      },
      { id: '2', price: 'NaN', new: false, text: 'ü"', at: null, image: null, more: null },
      { id: '9007199254740993', price: null, new: null, text: '', at: null, image: Buffer.alloc(0), more: [1] },
    ]);
  });

  test('decimals, times and timestamps keep all their digits', async () => {
    const columns: [SchemaElement, string, unknown[], string[]][] = [
      [
        { name: 'wide', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, converted_type: 'DECIMAL', precision: 20 },
        'numeric',
        [12345678901234567890n, 12345678901234567891n, -1n],
        ['12345678901234567890', '12345678901234567891', '-1'],
      ],
      [
        { name: 'cents', type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: 2 },
        'numeric',
        [-7n, 123456789012345678n, 0n],
        ['-0.07', '1234567890123456.78', '0.00'],
      ],
      [
        { name: 'newer', type: 'INT32', logical_type: { type: 'DECIMAL', precision: 9, scale: 1 } },
        'numeric',
        [30, 1, -1],
        ['3.0', '0.1', '-0.1'],
      ],
      [
        { name: 'micros', type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
        'timestamptz',
        [1767323045678901n, -1n, 0n],
        ['2026-01-02 03:04:05.678901', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00'],
      ],
      [
        {
          ...{ name: 'nanos', type: 'INT64' },
          logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' },
        },
        'timestamp',
        [1767323045678901000n, -1000n, 253402300800000000n],
        ['2026-01-02 03:04:05.678901', '1969-12-31 23:59:59.999999', '1978-01-11 21:31:40.8'],
      ],
      [
        { name: 'day', type: 'INT32', logical_type: { type: 'DATE' } },
        'date',
        [0, -735160, 2932897],
        ['1970-01-01', '0044-03-15 BC', '10000-01-01'],
      ],
      [
        { name: 'noon', type: 'INT64', logical_type: { type: 'TIME', isAdjustedToUTC: true, unit: 'MICROS' } },
        'text',
        [43200000000n, 86399000001n, 500000n],
        ['12:00:00', '23:59:59.000001', '00:00:00.5'],
      ],
      [
        { name: 'older', type: 'INT32', converted_type: 'TIME_MILLIS' },
        'text',
        [43200000, 1, 0],
        ['12:00:00', '00:00:00.001', '00:00:00'],
      ],
    ];
    const required = columns.map(([element]) => ({ ...element, repetition_type: 'REQUIRED' as const }));
    const bytes = parquetWriteBuffer({
      schema: [{ name: 'root', num_children: columns.length }, ...required],
      columnData: columns.map(([{ name }, , data]) => ({ name, data })),
    });
    const { status, body } = await send('digits', new Uint8Array(bytes));
    expect([status, body]).toMatchObject([
      201,
      { columns: columns.map(([{ name }, type]) => ({ name, type })), rows: 3 },
    ]);
    const shown = columns.map(([{ name }, type]) =>
      type === 'timestamptz' ? `(${name} at time zone 'UTC')::text as ${name}` : `${name}::text`,
    );
    expect(await database.db.query(`select ${shown.join()} from public.digits`)).toEqual(
      [0, 1, 2].map((row) => Object.fromEntries(columns.map(([{ name }, , , texts]) => [name, texts[row]]))),
    );
  });

  test('JSON keeps the digits of its numbers', async () => {
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'document', type: 'BYTE_ARRAY', logical_type: { type: 'JSON' }, repetition_type: 'REQUIRED' },
    ];
    const data = [Buffer.from('{"n": 12345678901234567890}')];
    await send('documents', new Uint8Array(parquetWriteBuffer({ schema, columnData: [{ name: 'document', data }] })));
    expect(await database.db.query(`select document ->> 'n' as n from public.documents`)).toEqual([
      { n: '12345678901234567890' },
    ]);
  });

  test.each([
    ['no Parquet', Buffer.from('PAR1 no, PAR1')],
    ['nothing', Buffer.from('')],
    ['zeros', Buffer.alloc(1000)],
  ])('%s is refused, and leaves nothing', async (_, bytes) => {
    const answer = await send('refused', bytes);
    expect([answer.status, answer.body]).toMatchObject([
      400,
      { error: { code: expect.any(String), hint: expect.any(String) } },
    ]);
    await noTable('refused');
  });

  test('a file with changed bytes is refused or read, and the server goes on', async () => {
    const good = new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'text', data: Array.from({ length: 500 }, (_, i) => `text ${i % 7}`), type: 'STRING' }],
      }),
    );
    for (let i = 0; i < 6; i++) {
      const bad = Buffer.from(good);
      for (let j = 0; j < 3; j++) bad[4 + ((i * 997 + j * 331) % (bad.length - 12))] = (i * 61 + j * 17) % 256;
      const { status } = await send(`changed_${i}`, bad);
      expect([201, 400, 413]).toContain(status);
    }
    expect((await send('good', good)).body).toMatchObject({ rows: 500 });
  });
});
