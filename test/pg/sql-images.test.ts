import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(`
    create table photos (id int primary key, kind text, image bytea);
    insert into photos select i, 'kind ' || i % 2, int4send(i) from generate_series(1, 8) i;
    create table shelf (id int primary key, name text, image bytea, boxes jsonb);
    insert into shelf select i, 'shelf', int4send(i), '[{"label": "apple", "x": 0, "y": 0, "w": 1, "h": 1}]' from generate_series(1, 4) i;
    create table snaps (id int, truth text, image bytea); -- nothing says that "id" is a key
    insert into snaps select i, i % 2, int4send(i) from generate_series(1, 8) i;
    create table two_images (label text, front bytea, back bytea);
    insert into two_images select i % 2, '\\x00', int4send(i) from generate_series(1, 8) i;
    create table two_jsons (image bytea, meta jsonb, found jsonb);
    insert into two_jsons select int4send(i), '{}', '[{}]' from generate_series(1, 4) i;
    create table bare_shelf (image bytea, boxes jsonb);
    insert into bare_shelf select int4send(i), '[]' from generate_series(1, 4) i;
    create table unboxed (image bytea, boxes jsonb);
    insert into unboxed select int4send(i) from generate_series(1, 4) i`);
});
afterEach(() => db.query('delete from rafiki.study'));
afterAll(() => database.drop());

/** The study that a call makes. */
async function train(args: string): Promise<Record<string, unknown> | undefined> {
  const [made] = await db.query<{ id: number }>(`select rafiki_train(${args}) as id`);
  const sql = 'select model, target, features::text[], on_bad_row from rafiki.study where id = $1';
  const [study] = await db.query<Record<string, unknown>>(sql, [made?.id]);
  return study;
}

describe('rafiki_train', () => {
  test('infers image and label, image and boxes', async () => {
    expect(await train(`'image_classification', 'photos'`)).toEqual({
      model: 'photos_image_classification',
      target: 'kind',
      features: ['image'],
      on_bad_row: 'error',
    });
    expect(await train(`'image_classification', 'snaps'`)).toMatchObject({ target: 'truth' });
    expect(await train(`'object_detection', 'shelf', on_bad_row => 'skip'`)).toEqual({
      model: 'shelf_object_detection',
      target: 'boxes',
      features: ['image'],
      on_bad_row: 'skip',
    });
    expect(await train(`'object_detection', 'two_jsons', target => 'found'`)).toMatchObject({ target: 'found' });
  });

  test.each([
    ['several images', `'image_classification', 'two_images'`, '42702', /front, back/, /array\['front'\]/],
    ['several boxes', `'object_detection', 'two_jsons'`, '42702', /meta, found/, /target => 'meta'/],
    [
      'no image',
      `'image_classification', 'pg_class'`,
      '42703',
      /can be the image to learn from/,
      /^Add it in a view: images/,
    ],
    [
      'a text for an image',
      `'image_classification', 'photos', features => '{kind}', target => 'id'`,
      '42804',
      /"kind"/,
      /bytea/,
    ],
    [
      'a label for boxes',
      `'object_detection', 'shelf', target => 'name'`,
      '42804',
      /"name" has type text/,
      /jsonb arrays/,
    ],
    [
      'an image for a text',
      `'sentiment', 'photos', features => '{image}'`,
      '42804',
      /"image" has type bytea/,
      /text column/,
    ],
    ['images without boxes', `'object_detection', 'bare_shelf'`, '21000', /0 of its 4 labelled rows/, /more rows/],
    ['no boxes', `'object_detection', 'unboxed'`, '22004', /no labelled row/, /labels/],
    ['a strange on_bad_row', `'object_detection', 'shelf', on_bad_row => 'ignore'`, '22023', /ignore/, /skip/],
    ['no on_bad_row', `'object_detection', 'shelf', on_bad_row => null`, '22023', /null/, /skip/],
  ])('refuses %s', async (_what, args, code, says, hints) => {
    const failure = await failureOf(db, `select rafiki_train(${args})`);
    expect(failure.code).toBe(code);
    expect(`${failure.message}; ${failure.detail}`).toMatch(says);
    expect(failure.hint).toMatch(hints);
  });

  test('shows in rafiki.studies how many rows were left out', async () => {
    await train(`'object_detection', 'shelf'`);
    await db.query(
      `update rafiki.study set skipped_rows = 3, skipped_example = 'Key (id)=(7): …' where model like 'shelf%'`,
    );
    expect(await db.query(`select notice from rafiki.studies where model like 'shelf%'`)).toEqual([
      { notice: 'rows skipped: 3' },
    ]);
  });
});
