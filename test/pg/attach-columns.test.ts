import { beforeEach, describe, expect, test } from 'vitest';
import { readInputs } from '../../src/protocol/input-array.ts';
import { Inbox } from '../support/inbox.ts';
import { reply } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

/** A model of several columns is attached: `buyers` reads age and city, and answers with them as one word, such as "28 Bern" or "null null". */
const inbox = new Inbox();

/** The inputs of a request. */
const inputsOf = (fields: readonly string[]): string[] => {
  const said = fields.at(-1) ?? '';
  return fields[0] === 'P' ? [said] : (readInputs(said) as string[]);
};
const say = (input: string): string => {
  const { age, city } = JSON.parse(input) as { age?: unknown; city?: unknown };
  return `${age} ${city}`;
};
const sent = (): unknown[] =>
  inbox.bridge.requests
    .filter(([verb]) => verb === 'P' || verb === 'A')
    .flatMap(inputsOf)
    .map((text) => JSON.parse(text) as unknown);

beforeEach(async () => {
  inbox.bridge.answer = (fields) => {
    const inputs = inputsOf(fields);
    const refused = inputs.find((input) => (JSON.parse(input) as { age: unknown }).age === -1);
    if (refused !== undefined) return reply(JSON.stringify({ sqlstate: '22000', message: 'no such age' }), 'e');
    return reply(fields[0] === 'P' ? say(inputs[0] ?? '') : `{${inputs.map((input) => `"${say(input)}"`).join()}}`);
  };
  await inbox.db.query(`
    with m as (insert into rafiki.model (name, task, owner) values
        ('buyers', 'tabular_classification', current_user::regrole), ('prices', 'tabular_regression', current_user::regrole) returning id),
      v as (insert into rafiki.model_version (model_id, version, score, classes, features, kinds)
        select id, 1, 1, '{}', '{age,city}', '{number,text}' from m returning *)
    insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from v;
    create table people (id int primary key, city text, note text, age int, buys text)`);
});

const attach = (more = ''): Promise<unknown> =>
  inbox.db.query(`select rafiki_attach('buyers', 'people', output => 'buys'${more})`);
const wrong = (table = 'people'): Promise<unknown[]> =>
  inbox.db.query(
    `select from ${table} where buys is distinct from concat(coalesce(age::text, 'null'), ' ', coalesce(city, 'null'))`,
  );

describe('a statement', () => {
  test('predicts new rows, and those of which a column that the model reads is written', async () => {
    await attach();
    await inbox.db.query(`insert into people (id, age, city, note) values (1, 28, 'Bern', 'x'), (2, null, null, 'x')`);
    expect(sent()).toEqual([
      { age: 28, city: 'Bern' },
      { age: null, city: null },
    ]);
    expect(await wrong()).toEqual([]);
    inbox.bridge.requests = [];
    await inbox.db.query(`update people set note = 'y'`);
    await inbox.db.query(`update people set age = 28 where id = 1`);
    expect(sent()).toEqual([]);
    await inbox.db.query(`update people set age = 29 where id = 1`);
    await inbox.db.query(`update people set city = 'Basel' where id = 2`);
    await inbox.db.query(`update people set city = null where id = 1`);
    expect(sent()).toEqual([
      { age: 29, city: 'Bern' },
      { age: null, city: 'Basel' },
      { age: 29, city: null },
    ]);
    expect(await wrong()).toEqual([]);
    expect(await inbox.marks()).toBe(0);
    expect(await inbox.attachment()).toMatchObject({ input: 'age, city', output: 'buys' });
  });

  test('requests many rows together, keeps what is given, and leaves what it has no time for', async () => {
    await attach(', keep => true');
    await inbox.filled(
      `insert into people (id, age, city) select i, nullif(i % 90, 0), 'Bern' from generate_series(1, 1000) i`,
    );
    await inbox.filled(`insert into people (id, age, city, buys) values (1001, 3, 'Bern', '3 Bern')`);
    expect(await wrong()).toEqual([]);
    await inbox.db.query(`update people set age = 4, buys = 'given' where id = 1001`);
    expect(await wrong()).toHaveLength(1);
    await inbox.db.query('truncate people; alter table people drop constraint people_pkey');
    await inbox.filled(
      `set local rafiki.fill_wait = 0; insert into people (id, age, city) select i, i, 'Bern' from generate_series(1, 1000) i`,
    );
    expect(await wrong()).toEqual([]);
  });

  test('works on partitions of another layout, and on rows written to them directly', async () => {
    await inbox.db.query(`
      create table parts (id int primary key, age int, city text, buys text) partition by range (id);
      create table low partition of parts for values from (0) to (100);
      create table high (gone int, buys text, city text, age int, id int not null);
      alter table high drop gone;
      select rafiki_attach('buyers', 'parts', output => 'buys');
      alter table parts attach partition high for values from (100) to (10000)`);
    await inbox.filled(`insert into parts (id, age, city) select i, i, 'Bern' from generate_series(50, 149) i`);
    await inbox.filled(`insert into high (id, age, city) select i, i, 'Basel' from generate_series(200, 300) i`);
    expect(await wrong('parts')).toEqual([]);
  });
});

test('a column of the table may have any name', async () => {
  await inbox.db.query(`alter table people add nth int, add input text, add label text, add bytes int`);
  await attach();
  await inbox.filled(`insert into people (id, age, city, nth) select i, i, 'Bern', -i from generate_series(1, 1000) i`);
  expect(await wrong()).toEqual([]);
});

test('numbers that are there already are not overwritten by those of a regression', async () => {
  await inbox.db.query(
    `alter table people add price float8; insert into people (id, age, city, price) values (1, 2, 'Bern', 38700)`,
  );
  const attachPrices = (more = ''): Promise<unknown> =>
    inbox.db.query(`select rafiki_attach('prices', 'people', output => 'price'${more})`);
  await expect(attachPrices()).rejects.toMatchObject({
    code: '42P10',
    detail: 'One is 38700; predictions would overwrite it.',
  });
  await attachPrices(', keep => true');
});

describe('a column', () => {
  test('that is renamed is sent under the name that the model knows', async () => {
    await inbox.db.query(`insert into people (id, age, city) values (1, 1, 'Bern')`);
    await attach();
    await inbox.db.query(
      `alter table people rename age to "Jahre ü\\0"; alter table people rename city to age; alter table people rename note to city`,
    );
    await inbox.filled(`insert into people (id, "Jahre ü\\0", age, city) values (2, 28, 'Bern', 'no')`);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query('select buys from people order by id')).toEqual([
      { buys: '1 Bern' },
      { buys: '28 Bern' },
    ]);
    expect(await inbox.attachment()).toMatchObject({ input: 'Jahre ü\\0, age' });
  });

  test('may have any name', async () => {
    await inbox.db.query(`
      update rafiki.model_version set features = array['ä\\000b', '"; --'], kinds = '{number,text}';
      create table odd (id int primary key, "ä\\000b" int, """; --" text, out text)`);
    inbox.bridge.answer = (fields) => reply(Object.entries(JSON.parse(inputsOf(fields)[0] ?? '') as object).join(';'));
    await inbox.db.query(`select rafiki_attach('buyers', 'odd', output => 'out')`);
    await inbox.db.query(`insert into odd values (1, 5, 'x')`);
    expect(await inbox.db.query('select out from odd')).toEqual([{ out: 'ä\\000b,5;"; --,x' }]);
  });

  test('cannot be dropped or get another type without notice, and what is dropped with cascade leaves rows that wait', async () => {
    await attach();
    expect(await failureOf(inbox.db, 'alter table people drop age')).toMatchObject({ code: '2BP01' });
    expect(await failureOf(inbox.db, 'alter table people alter age type text')).toMatchObject({ code: '0A000' });
    await inbox.db.query('alter table people drop age cascade');
    await inbox.db.query(`insert into people (id, city) values (1, 'Bern')`);
    expect(await inbox.db.query('select buys from people')).toEqual([{ buys: null }]);
    await inbox.db.query('alter table people add age int');
    await attach();
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await wrong()).toEqual([]);
    expect(await inbox.db.query(`select from pg_trigger where tgrelid = 'people'::regclass`)).toHaveLength(4);
  });
});

describe('rows that wait', () => {
  test('are filled if they have only NULLs; those that the model refuses are found and reported', async () => {
    await inbox.db.query(`insert into people (id, age, city) values (1, null, null), (2, -1, 'Bern'), (3, 7, 'Bern')`);
    await attach();
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query('select buys from people order by id')).toEqual([
      { buys: 'null null' },
      { buys: null },
      { buys: '7 Bern' },
    ]);
    expect(await inbox.attachment()).toMatchObject({ unanswered: 1 });
    await inbox.db.query('update people set age = 2 where id = 2');
    await inbox.allFilled();
    expect(await wrong()).toEqual([]);
  });

  test('are not lost when a new version reads a further column', async () => {
    await attach();
    await inbox.db.query(`update rafiki.model_version set features = '{age,city,note}', kinds = '{number,text,text}'`);
    inbox.bridge.answer = () => reply(JSON.stringify({ sqlstate: '22000', message: 'column "note" is missing' }), 'e');
    await inbox.db.query(`insert into people (id, age, city) select i, i, 'Bern' from generate_series(1, 100) i`);
    await inbox.startCoordinator();
    await eventually(inbox.db, `select from rafiki.attachments where last_error like '%reads something else%'`);
    expect(await inbox.attachment()).toMatchObject({ unanswered: 0 });
    inbox.bridge.answer = (fields) =>
      reply(
        `{${inputsOf(fields)
          .map((input) => `"${say(input)}"`)
          .join()}}`,
      );
    await attach();
    await inbox.allFilled();
    expect(await wrong()).toEqual([]);
  });
});

describe('rafiki_attach', () => {
  test.each([
    ['an input is named', `'buyers', 'people', 'age', 'buys'`, '22023', /reads several columns.*age, city/s],
    ['a column is missing', `'buyers', 'inbox', output => 'letter'`, '42703', /"age"/],
    ['the output is read', `'buyers', 'people', output => 'city'`, '42701', /same column/],
    ['no output is named', `'buyers', 'people'`, '22004', /output/],
    ['a type is another', `'buyers', 'mistyped', output => 'buys'`, '42804', /"age".*text.*a number/s],
    ['a column is generated', `'buyers', 'made', output => 'buys'`, '428C9', /"city".*features =>/s],
    ['numbers would not fit', `'prices', 'people', output => 'id'`, '42804', /must allow null/],
    ['numbers would be cut', `'prices', 'whole', output => 'price'`, '42804', /integer.*fractions.*real/s],
    ['several texts could be read', `'letters', 'people', output => 'buys'`, '42702', /city, note.*input => 'city'/s],
  ])('refuses if %s', async (_, args, code, said) => {
    await inbox.db.query(`
      create table mistyped (age text, city text, buys text);
      create table made (id int, age int, city text generated always as (id::text) stored, buys text);
      create table whole (age int, city text, price int)`);
    const failure = await failureOf(inbox.db, `select rafiki_attach(${args})`);
    expect(failure).toMatchObject({ code, hint: expect.any(String) });
    expect(Object.values(failure).join(' ')).toMatch(said);
  });

  test('fills columns of numbers and of texts with numbers', async () => {
    inbox.bridge.answer = (fields) =>
      reply(
        fields[0] === 'P'
          ? '12.5'
          : `{${inputsOf(fields)
              .map(() => '12.5')
              .join()}}`,
      );
    await inbox.db.query(
      'create domain euros as numeric(10,2); create table homes (age int, city text, a real, b text, c euros)',
    );
    for (const column of ['a', 'b', 'c'])
      await inbox.db.query(`select rafiki_attach('prices', 'homes', output => '${column}')`);
    await inbox.db.query(`insert into homes (age) values (3)`);
    await inbox.startCoordinator(); // for what a busy machine has no time for
    await eventually(inbox.db, 'select from homes where num_nonnulls(a, b, c) = 3');
    expect(await inbox.db.query('select a, b, c::float8 from homes')).toEqual([{ a: 12.5, b: '12.5', c: 12.5 }]);
  });

  test('finds the only text by itself', async () => {
    await inbox.db.query('create table notes (id int primary key, body text, letter text)');
    await inbox.db.query(`select rafiki_attach('letters', 'notes', output => 'letter')`);
    expect(await inbox.attachment()).toMatchObject({ input: 'body' });
  });
});

describe('another role', () => {
  test('that may only insert has its rows filled, under the policies of the table', async () => {
    const writer = await inbox.database.as('writer');
    const [{ name } = { name: '' }] = await writer.query<{ name: string }>('select current_user::text as name');
    await attach();
    await inbox.db.query(`grant insert (id, age, city) on people to ${name}`);
    await inbox.db.query('alter table people enable row level security');
    await inbox.db.query('create policy all_in on people for insert with check (age > 0)');
    await writer.query(`insert into people (id, age, city) select i, i, 'Bern' from generate_series(1, 40) i`);
    expect(await failureOf(writer, `insert into people (id, age, city) values (41, 0, 'Bern')`)).toMatchObject({
      code: '42501',
    });
    expect(await failureOf(writer, 'select age from people')).toMatchObject({ code: '42501' });
    expect(sent()).toEqual([]); // the writer may not use the model
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await wrong()).toEqual([]);
  });

  test('detaching ends it', async () => {
    await attach();
    expect(await inbox.db.query(`select rafiki_detach('people', 'buys') as done`)).toEqual([{ done: true }]);
    await inbox.db.query(`insert into people (id, age) values (1, 1)`);
    expect(await inbox.db.query('select buys from people')).toEqual([{ buys: null }]);
    expect(await inbox.db.query(`select from pg_trigger where tgrelid = 'people'::regclass`)).toEqual([]);
  });
});

test('the column that is filled is no feature by default', async () => {
  await attach();
  const [row] = await inbox.db.query<{ left: string[] }>(
    `select array_agg(name || ': ' || reason order by name) as left from rafiki._left_out('people', 'note', null)`,
  );
  expect(row?.left).toEqual(['buys: filled by a model', 'id: primary key']);
});
