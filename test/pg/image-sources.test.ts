import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DataCache } from '../../src/datasets/data-cache.ts';
import type { LabelledRow } from '../../src/datasets/data-file.ts';
import type { Task } from '../../src/domain/task.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { readDataFile } from '../support/read-data-file.ts';
import { insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let dir: string;
let picture: Buffer;
const box = { label: 'apple', x: 1, y: 2, w: 10, h: 5 };

beforeAll(async () => {
  picture = await sharp({ create: { width: 20, height: 10, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
});
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-images-'));
  await db.query('create table shelf (id int primary key, boxes jsonb, image bytea)');
});
afterEach(async () => {
  rmSync(dir, { recursive: true, force: true });
  await database.drop();
});

const put = (id: number, boxes: unknown, image: Buffer = picture): Promise<unknown> =>
  db.query('insert into shelf values ($1, $2, $3)', [id, JSON.stringify(boxes), image]);

/** What a worker reads for a study, as a trial gets it. */
async function read(
  source: string,
  target: string,
  { task = 'object_detection', limitBytes }: { task?: Task; limitBytes?: number } = {},
): Promise<LabelledRow[]> {
  const id = await insertStudy(db, { source, task, target, features: ['image'], model: `${source} ${target} ${task}` });
  const cache = new DataCache({ database: database.service, dir, limitBytes, logger: silentLogger });
  const file = await cache.file({ id, createdAt: String(id), task }, new AbortController());
  return readDataFile(file, task);
}

describe('reading images', () => {
  test('returns every byte and box, in order, and leaves out rows without image or label', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const large = await sharp({ create: { width: 300, height: 250, channels: 3, background: 'blue', noise } })
      .png()
      .toBuffer(); // 200 kB, in several chunks
    await put(1, [box, { ...box, label: 'ünï 🙂' }]);
    await put(2, [], large);
    await put(3, [{ ...box, x: -0.5, w: 21 }]);
    await db.query(`insert into shelf values (4, null, '\\x00'), (5, '[]', null)`);
    const [first, second, third, ...more] = await read('shelf', 'boxes');
    expect(first).toEqual({ input: picture, label: [box, { ...box, label: 'ünï 🙂' }] });
    expect(large.equals(second?.input as Buffer)).toBe(true); // toEqual takes seconds over so many bytes
    expect(second?.label).toEqual([]);
    expect(third).toEqual({ input: picture, label: [{ ...box, x: 0, w: 20 }] });
    expect(more).toEqual([]);
    await db.query('delete from shelf where id > 3');
    const labelled = await read('shelf', 'id', { task: 'image_classification' });
    expect(labelled.map(({ label }) => label)).toEqual(['1', '2', '3']);
  });

  test('works with columns of a domain and with sources without a key', async () => {
    await db.query('create domain photo as bytea');
    await db.query(`create table photos (image photo, kind text)`);
    await db.query(`insert into photos values ($1, 'a')`, [picture]);
    expect(await read('photos', 'kind', { task: 'image_classification' })).toEqual([{ input: picture, label: 'a' }]);
  });
});

describe('a row that cannot be used', () => {
  test.each([
    ['an image that is none', 'an image cannot be read', 'It has 3 bytes', [], Buffer.from('abc')],
    ['a box outside', 'a box cannot be used', 'Box 1 spans 15 to 25', [{ ...box, x: 15 }], undefined],
    ['boxes that are no array', 'the boxes of an image are not an array', 'not an array', {}, undefined],
  ])('ends the study where it is %s, and is named', async (_what, message, detail, boxes, image) => {
    for (let id = 1; id <= 20; id++) await put(id, id === 13 ? boxes : [box], id === 13 ? image : picture);
    const failure = { sqlstate: '22000', message, hint: expect.stringContaining(`on_bad_row => 'skip'`) };
    const named = expect.stringMatching(new RegExp(`^Key \\(id\\)=\\(13\\): .*${detail}`));
    await expect(read('shelf', 'boxes')).rejects.toMatchObject({ ...failure, detail: named });
    expect(readdirSync(dir)).toEqual([]);
  });

  test('is named by what its owner may read: key, column id, ctid, or the order of reading', async () => {
    const broken = Buffer.from('broken');
    await db.query(`create table pairs (a int, b text, image bytea, kind text, primary key (a, b))`);
    await db.query(`insert into pairs values (1, 'x', $1, 'k')`, [broken]);
    await db.query(`create table keyless as select image, kind from pairs`);
    await db.query(`create view numbered as select 7 as id, * from keyless`);
    await db.query(`create view bare as select * from keyless`);
    const names: [string, string][] = [
      ['pairs', 'Key (a, b)=(1, x): '],
      ['keyless', 'Row (0,1): '],
      ['numbered', 'Key (id)=(7): '],
      ['bare', 'Row 1 as read: '],
    ];
    for (const [source, name] of names) {
      await expect(read(source, 'kind', { task: 'image_classification' })).rejects.toMatchObject({
        detail: expect.stringContaining(name),
      });
    }
  });

  test('is left out and counted if the study skips such rows', async () => {
    await put(1, [box]);
    await put(2, [{ ...box, width: 3 }]);
    await put(3, [box], Buffer.from('abc'));
    await put(4, []);
    await db.query(`alter table rafiki.study alter column on_bad_row set default 'skip'`);
    expect(await read('shelf', 'boxes')).toHaveLength(2);
    expect(await db.query('select skipped_rows, skipped_example from rafiki.study')).toEqual([
      { skipped_rows: 2, skipped_example: 'Key (id)=(2): Box 1 has the unknown key "width".' },
    ]);
  });

  test('is discarded while it arrives if it is larger than 64 MB', async () => {
    await put(1, [box]);
    await db.query(`insert into shelf values (2, '[]', convert_to(repeat('x', 70000000), 'UTF8'))`);
    await put(3, []);
    await db.query(`alter table rafiki.study alter column on_bad_row set default 'skip'`);
    expect(await read('shelf', 'boxes')).toHaveLength(2);
    expect(await db.query('select skipped_rows, skipped_example from rafiki.study')).toEqual([
      { skipped_rows: 1, skipped_example: 'Key (id)=(2): It has 66.8 MB; the limit is 64 MB.' },
    ]);
  });

  test("counts towards the limit of a study's rows, too", async () => {
    await db.query(
      `insert into shelf select i, '[]', convert_to(repeat('x', 400000), 'UTF8') from generate_series(1, 5) i`,
    );
    await db.query(`alter table rafiki.study alter column on_bad_row set default 'skip'`);
    await expect(read('shelf', 'boxes', { limitBytes: 2 ** 20 })).rejects.toMatchObject({
      sqlstate: '54000',
      message: 'the data of a study is too large',
    });
  });
});
