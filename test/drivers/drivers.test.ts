import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';
import { createReviews } from '../support/studies.ts';
import { type Argument, type DriverAnswer, DriverClient, drivers, isThere } from './client.ts';

/**
 * What people's drivers get when they pass a value as is natural to them: the right answer, or an error that says what to write. A
 * driver that is listed in `but` behaves differently, as docs/drivers.md describes.
 */
interface Expectation {
  what: string;
  sql: string;
  args: Argument[];
  is: unknown;
  but?: Partial<Record<string, unknown>>;
}

const [GREAT, AWFUL] = ['film 3 was great and its plot 5', 'film 4 was "awful", {so} and \\ its plot 7'];
const texts = { text: 'reviews_sentiment' };
const images = { text: 'photos_image_classification' };
const list = { texts: [GREAT, null, AWFUL] };
const labels = ['pos', null, 'neg'];

const value = (given: unknown): DriverAnswer => ({ value: given });
/** `hint`: where it is ours, and reaches the caller. */
const error = (sqlstate: string, message: RegExp, hint?: RegExp): unknown => ({
  error: expect.objectContaining({
    sqlstate,
    message: expect.stringMatching(message),
    ...(hint === undefined ? {} : { hint: expect.stringMatching(hint) }),
  }),
});
const refused = error('42804', /a list was given as one text/, /\$2::text\[\].*rafiki_predict_many/);
/** asyncpg compares values with what PostgreSQL wants, and sends nothing. */
const notSent = error('22000', /expected str/);
/** PDO turns an array of PHP into the word "Array"; no SQL can tell it from a text. */
const wordArray = error('22P02', /malformed array literal: "Array"/);
/** Bytes that are to be a text, which they are not. */
const noText = error('22021', /invalid byte sequence/);
/** postgres.js reads a NULL within an array as the word. */
const wordNull = { value: ['pos', 'NULL', 'neg'] };

let photo = '';

async function photographOf(colour: string): Promise<Buffer> {
  return sharp({ create: { width: 32, height: 32, channels: 3, background: colour } })
    .png()
    .toBuffer();
}

/** Without a list of its own PDO takes one as JSON, and gives the literal of an array. */
const fromJson = 'array(select jsonb_array_elements_text($2::jsonb))';

const expectations = (): Expectation[] => [
  { what: 'a text', sql: 'select rafiki_predict($1, $2)', args: [texts, { text: GREAT }], is: value('pos') },
  { what: 'a text with signs', sql: 'select rafiki_predict($1, $2)', args: [texts, { text: AWFUL }], is: value('neg') },
  { what: 'no text', sql: 'select rafiki_predict($1, $2)', args: [texts, { text: null }], is: value(null) },
  {
    what: 'a list without a type',
    sql: 'select rafiki_predict($1, $2)',
    args: [texts, list],
    is: refused,
    but: {
      psycopg2: value(labels),
      JDBC: value(labels),
      asyncpg: notSent,
      'postgres.js': { value: expect.stringMatching(/^(pos|neg)$/) }, // of the texts with commas between them
      PDO: { value: expect.stringMatching(/^(pos|neg)$/) }, // of the word "Array"
    },
  },
  {
    what: 'a list with its type',
    sql: 'select rafiki_predict($1, $2::text[])',
    args: [texts, list],
    is: value(labels),
    but: { 'postgres.js': wordNull, PDO: wordArray },
  },
  {
    what: 'a list with its type, answered in JSON',
    sql: 'select to_jsonb(rafiki_predict($1, $2::text[]))::text',
    args: [texts, list],
    is: value(JSON.stringify(labels).replaceAll(',', ', ')),
    but: { PDO: wordArray },
  },
  {
    what: 'a list to rafiki_predict_many',
    sql: 'select rafiki_predict_many($1, $2)',
    args: [texts, list],
    is: value(labels),
    but: { 'postgres.js': wordNull, PDO: wordArray },
  },
  {
    what: 'an empty list without a type',
    sql: 'select rafiki_predict($1, $2)',
    args: [texts, { texts: [] }],
    is: refused,
    but: {
      JDBC: value([]),
      asyncpg: notSent,
      'postgres.js': { value: expect.stringMatching(/^(pos|neg)$/) }, // of the empty text
      PDO: { value: expect.stringMatching(/^(pos|neg)$/) },
    },
  },
  {
    what: 'an empty list to rafiki_predict_many',
    sql: 'select rafiki_predict_many($1, $2)',
    args: [texts, { texts: [] }],
    is: value([]),
    but: { PDO: wordArray },
  },
  {
    what: 'a list as JSON',
    sql: `select to_jsonb(rafiki_predict_many($1, ${fromJson}))::text`,
    args: [texts, { text: JSON.stringify(list.texts) }],
    is: value(JSON.stringify(labels).replaceAll(',', ', ')),
    but: { 'postgres.js': error('22023', /cannot extract elements from a scalar/) }, // it writes JSON within JSON
  },
  { what: 'an image', sql: 'select rafiki_predict($1, $2::bytea)', args: [images, { bytes: photo }], is: value('red') },
  {
    what: 'an image without a type',
    sql: 'select rafiki_predict($1, $2)',
    args: [images, { bytes: photo }],
    is: value('red'),
    but: { asyncpg: notSent, PDO: noText, 'node-pg': noText, knex: noText, drizzle: noText },
  },
  {
    what: 'a model that is not there',
    sql: 'select rafiki_predict($1, $2)',
    args: [{ text: 'reviews_sentimant' }, { text: GREAT }],
    is: error('42704', /model "reviews_sentimant" does not exist/, /nearest name first: reviews_sentiment/),
  },
  {
    what: 'a text for a model of images',
    sql: 'select rafiki_predict($1, $2)',
    args: [images, { text: '/tmp/photo.png' }],
    is: error('22023', /reads images, but the input is a text/, /input::bytea, or decode\(input, 'base64'\)/),
  },
];

let rafiki: RunningRafiki;
beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '2'] });
  const { db } = rafiki;
  await createReviews(db, 200);
  await db.query('create table photos (id int generated always as identity primary key, truth text, image bytea)');
  for (let shade = 100; shade < 220; shade += 4) {
    for (const [label, colour] of [
      ['red', `rgb(${shade}, 20, 20)`],
      ['blue', `rgb(20, 20, ${shade})`],
    ] as const)
      await db.query('insert into photos (truth, image) values ($1, $2)', [label, await photographOf(colour)]);
  }
  photo = (await photographOf('rgb(201, 21, 20)')).toString('base64');
  const session = await db.connect(() => undefined);
  await session.query(
    `call rafiki_train_wait('sentiment', 'reviews', families => '{fasttext}', max_trials => 1, seed => 1)`,
  );
  await session.query(
    `call rafiki_train_wait('image_classification', 'photos', families => '{resnet}', max_trials => 1, seed => 1,
                            knobs => '{"width": 16, "epochs": 6}')`,
  );
  await session.close();
});
afterAll(() => rafiki?.stop());

for (const driver of drivers) {
  const here = isThere(driver);
  if (!here) console.log(`${driver.name} is not on this machine, so it is skipped: ${driver.missing}`);
  describe.skipIf(!here)(driver.name, () => {
    let client: DriverClient;
    beforeAll(async () => {
      client = await DriverClient.connect(driver, rafiki.url);
      console.log(`${driver.name} ${client.version}`);
    });
    afterAll(() => client?.close());

    for (const [nth, { what }] of expectations().entries())
      test(what, async () => {
        const { sql, args, is, but } = expectations()[nth]!;
        expect(await client.ask({ sql, args })).toEqual(but?.[driver.name] ?? is);
      });
  });
}
