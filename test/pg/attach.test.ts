import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;
let coordinator: Service | undefined;

/** A model that says of each text its first letter, and of each image its number of bytes; of a text that begins with ! nothing. */
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(
    `do $$ begin execute format('alter database %I set rafiki.fill_wait = %L', current_database(), '1s'); end $$`,
  );
  await db.query(`set rafiki.fill_wait = '1s'`);
  bridge = await startBridge();
  await db.query(`insert into rafiki.model (name, task, owner) values
    ('letters', 'text_classification', current_user::regrole), ('sizes', 'image_classification', current_user::regrole),
    ('finder', 'object_detection', current_user::regrole)`);
  await db.query(`
    with v as (insert into rafiki.model_version (model_id, version, score, classes) select id, 1, 1, '{}' from rafiki.model returning *)
    insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from v`);
  await db.query('create table inbox (id int primary key, body text, letter text, size int, photo bytea)');
});
afterEach(async () => {
  await coordinator?.stop();
  coordinator = undefined;
  await database.drop();
  await bridge.stop();
});

const refusal = reply(JSON.stringify({ sqlstate: '22000', message: 'nothing can be said of it' }), 'e');

async function startBridge(): Promise<ScriptedBridge> {
  const started = new ScriptedBridge();
  started.answer = (fields) => {
    const [verb = ''] = fields;
    const said = fields.at(-1) ?? '';
    const inputs = /p/i.test(verb) ? [said] : (JSON.parse(said) as (string | null)[]);
    if (inputs.some((input) => input?.startsWith('!'))) return refusal;
    const say = (input: string): string => (/[AP]/.test(verb) ? input.slice(0, 1) : String(atob(input).length));
    if (/p/i.test(verb)) return reply(say(said));
    return reply(`{${inputs.map((input) => (input === null ? 'NULL' : `"${say(input)}"`)).join()}}`);
  };
  await started.listen({ announceTo: db });
  return started;
}

/** Runs a statement of which it matters what becomes of its rows, not when: a machine that is busy may need a coordinator for it. */
async function filled(statement: string): Promise<void> {
  await db.query(statement);
  if ((await marks()) === 0) return;
  await startCoordinator();
  await allFilled();
  await coordinator?.stop();
}

async function startCoordinator(): Promise<void> {
  coordinator = createCoordinator({ database: database.service, logger });
  await coordinator.start();
}

const attachLetters = (more = ''): Promise<unknown> =>
  db.query(`select rafiki_attach('letters', 'inbox', 'body', 'letter'${more})`);
const rows = (): Promise<unknown[]> => db.query('select id, letter, size from inbox order by id');
const marks = async (): Promise<number> => (await db.query('select from rafiki.attachment_mark')).length;
const verbs = (): (string | undefined)[] => bridge.requests.map(([verb]) => verb);
const attachment = async (): Promise<Record<string, unknown>> =>
  (await db.query<Record<string, unknown>>('select * from rafiki.attachments'))[0] ?? {};
/** Nothing waits any more, and the coordinator knows it. */
const allFilled = (): Promise<unknown> =>
  eventually(
    db,
    `select from rafiki.attachment a where waiting_since is null and not exists (select from rafiki.attachment_mark)`,
  );

describe('a statement', () => {
  test('predicts new rows and those whose input is written', async () => {
    await attachLetters();
    await db.query(`select rafiki_attach('sizes', 'inbox', 'photo', 'size')`);
    await db.query(`insert into inbox (id, body, photo) values (1, 'hello', '\\x0102'), (2, null, null)`);
    expect(await rows()).toEqual([
      { id: 1, letter: 'h', size: 2 },
      { id: 2, letter: null, size: null },
    ]);
    await db.query(`update inbox set body = 'world' where id = 2`);
    bridge.requests = [];
    await db.query(`update inbox set id = 3 where id = 2`);
    expect(bridge.requests).toEqual([]);
    expect((await rows())[1]).toEqual({ id: 3, letter: 'w', size: null });
    await db.query('update inbox set body = null where id = 3');
    expect((await rows())[1]).toEqual({ id: 3, letter: null, size: null });
    expect(await marks()).toBe(0);
  });

  test('reports a text that is too large to be asked about', async () => {
    await attachLetters();
    await db.query(`insert into inbox (id, body) values (1, repeat('y ', 4100000))`);
    expect(await db.query('select from rafiki.attachment_mark')).toHaveLength(1);
  });

  test('writes in a transaction that does not see what the coordinator has taken', async () => {
    await attachLetters();
    const many = (first: number): string =>
      `insert into inbox (id, body) select i, 'a text' from generate_series(${first}, ${first} + 99) i`;
    const writer = await db.connect(() => undefined);
    await writer.query('set rafiki.fill_wait = 0');
    await writer.query(many(1));
    await writer.query('begin isolation level repeatable read');
    await writer.query('select from inbox');
    await db.query('delete from rafiki.attachment_mark');
    await writer.query(many(1000));
    await writer.query('commit');
    expect(await db.query('select from rafiki.attachment_mark')).toHaveLength(1);
    await writer.close();
  });

  test('returns the predictions of its first rows, and asks for the others at once', async () => {
    await attachLetters();
    const returned = await db.query<{ letter: string | null }>(
      `insert into inbox (id, body) select i, chr(97 + i % 26) || ' text' from generate_series(1, 1000) i returning letter`,
    );
    const asked = verbs().filter((verb) => verb === 'P').length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(32);
    expect(returned.map(({ letter }) => letter !== null)).toEqual(returned.map((_, row) => row < asked));
    expect(await db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    expect(verbs().filter((verb) => verb === 'A').length).toBeLessThan(8);
    expect(await marks()).toBe(0);
  });

  test('replaces what a writer gives, unless that is to be kept', async () => {
    const insert = `insert into inbox (id, body, letter) select i, 'hello', 'x' from generate_series(1, 40) i`;
    const labels = (): Promise<unknown[]> => db.query('select letter, count(*)::int from inbox group by 1');
    await attachLetters();
    await filled(insert);
    expect(await labels()).toEqual([{ letter: 'h', count: 40 }]);
    await db.query('truncate inbox');
    await attachLetters(', keep => true');
    await db.query(insert);
    expect(await labels()).toEqual([{ letter: 'x', count: 40 }]);
    await db.query(`update inbox set body = 'world', letter = 'y' where id = 1`);
    await filled(`update inbox set body = 'world' where id = 2`);
    await filled(`update inbox set letter = null where id = 3`);
    expect((await rows()).slice(0, 4)).toMatchObject([
      { letter: 'y' },
      { letter: 'w' },
      { letter: 'h' },
      { letter: 'x' },
    ]);
  });

  test('works with upserts, COPY-like loads without a key, and within functions that write row by row', async () => {
    await attachLetters();
    const upsert = `insert into inbox (id, body) values (1, $1) on conflict (id) do update set body = excluded.body`;
    for (const body of ['hello', 'world']) await filled(upsert.replace('$1', `'${body}'`));
    expect(await rows()).toMatchObject([{ letter: 'w' }]);
    await filled(`do $$ begin for i in 2..40 loop insert into inbox (id, body) values (i, 'row'); end loop; end $$`);
    expect(await db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    await db.query('alter table inbox drop constraint inbox_pkey');
    await db.query(`insert into inbox (id, body) select 9, 'hello' from generate_series(1, 40)`);
    const waits = 'select count(*)::int as rows from inbox where letter is null';
    expect(await db.query(waits)).not.toEqual([{ rows: 0 }]);
    expect(await marks()).toBe(1);
    await startCoordinator();
    await allFilled();
    expect(await db.query(waits)).toEqual([{ rows: 0 }]);
  });

  test('follows columns and table that are renamed, and keeps them from being dropped alone', async () => {
    await attachLetters();
    await db.query('alter table inbox rename body to content');
    await db.query('alter table inbox rename letter to initial');
    await db.query('alter table inbox rename to outbox');
    await filled(`insert into outbox (id, content) select i, 'hello' from generate_series(1, 40) i`);
    expect(await db.query('select distinct initial from outbox')).toEqual([{ initial: 'h' }]);
    expect(await attachment()).toMatchObject({ relation: 'outbox', input: 'content', output: 'initial' });
    for (const column of ['content', 'initial'])
      expect(await failureOf(db, `alter table outbox drop ${column}`)).toMatchObject({ code: '2BP01' });
    await db.query('alter table outbox drop initial cascade');
    await db.query(`insert into outbox (id, content) select i, 'hello' from generate_series(101, 140) i`);
    expect(await db.query(`select rafiki_detach('outbox', 'initial') as done`)).toEqual([{ done: true }]);
    expect(await attachment()).toEqual({});
  });

  test('works on partitioned tables, also where a partition is written to itself', async () => {
    await db.query('create table parts (id int primary key, body text, letter text) partition by range (id)');
    await db.query('create table low partition of parts for values from (0) to (100)');
    await db.query('create table high (gone int, letter text, body text, id int not null)');
    await db.query('alter table high drop gone');
    await db.query('alter table parts attach partition high for values from (100) to (10000)');
    await db.query(`select rafiki_attach('letters', 'parts', 'body', 'letter')`);
    await db.query(`insert into parts (id, body) select i, 'hello' from generate_series(50, 149) i`);
    await db.query(`insert into high (id, body) select i, 'world' from generate_series(200, 300) i`);
    await startCoordinator();
    await allFilled();
    expect(await db.query('select from parts where letter is distinct from left(body, 1)')).toEqual([]);
  });
});

describe('while no server answers, a statement', () => {
  test('leaves rows to be filled, which they are when one does', async () => {
    await attachLetters();
    await bridge.stop();
    const startedMs = performance.now();
    await db.query(`insert into inbox (id, body) values (1, 'hello')`);
    await db.query(`insert into inbox (id, body) select i, 'world' from generate_series(2, 3000) i`);
    await db.query(`update inbox set body = 'again' where id = 2`);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await startCoordinator();
    await eventually(db, `select from rafiki.attachments where to_come = 3000 and last_error like '%server%'`);
    bridge = await startBridge();
    await allFilled();
    expect(await db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    expect(await attachment()).toMatchObject({ to_come: null, oldest: null, last_error: null, unanswered: 0 });
    expect((await attachment())['last_fill']).not.toBeNull();
  });

  test('does not wait longer than rafiki.fill_wait for one that hangs, nor does the next one', async () => {
    await attachLetters();
    bridge.answer = () => new Promise(() => undefined);
    await db.transaction(async (tx) => {
      await tx.query(`set local rafiki.fill_wait = '300ms'`);
      for (const [id, atLeastMs, belowMs] of [
        [1, 280, 900],
        [2, 0, 280],
      ] as const) {
        const startedMs = performance.now();
        await tx.query(`insert into inbox (id, body) values ($1, 'hello')`, [id]);
        expect(performance.now() - startedMs).toBeGreaterThanOrEqual(atLeastMs);
        expect(performance.now() - startedMs).toBeLessThan(belowMs);
      }
      await tx.query('truncate inbox');
    });
  });

  test('waits for none where rafiki.fill_wait is 0; another value than 0 to 1s is refused', async () => {
    await attachLetters();
    await db.transaction(async (tx) => {
      await tx.query(`set local rafiki.fill_wait = 0`);
      await tx.query(`insert into inbox (id, body) values (1, 'hello')`);
      await tx.query('savepoint s');
      for (const wait of ['2s', '-1ms', 'soon']) {
        await tx.query(`set local rafiki.fill_wait = '${wait}'`);
        const failure = await tx.query(`insert into inbox (id, body) values (2, 'x')`).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: '22023', hint: expect.any(String) });
        await tx.query('rollback to savepoint s');
      }
    });
    expect(await rows()).toMatchObject([{ letter: null }]);
    expect(bridge.requests).toEqual([]);
  });

  test('leaves nothing to be filled if it is rolled back', async () => {
    await attachLetters();
    await bridge.stop();
    const insert = (tx: Pick<Database, 'query'>, id: number): Promise<unknown> =>
      tx.query(`insert into inbox (id, body) values ($1, 'hello')`, [id]);
    await expect(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await marks()).toBe(0);
    await db.transaction(async (tx) => {
      await tx.query('savepoint s');
      await insert(tx, 2);
      await tx.query('rollback to savepoint s');
      await insert(tx, 3);
    });
    expect(await marks()).toBe(1);
  });
});

describe('rows that wait', () => {
  test('are those that were there before, and stay where a writer changes or deletes them meanwhile', async () => {
    await db.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 5) i`);
    await attachLetters();
    const asked = new Promise<void>((resolve) => {
      const say = bridge.answer;
      bridge.answer = async (fields) => {
        resolve();
        await changed;
        bridge.answer = say;
        return say(fields);
      };
    });
    let change: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      change = resolve;
    });
    await startCoordinator();
    await asked;
    await db.query(`set local rafiki.fill_wait = 0; update inbox set body = 'world' where id = 1`);
    await db.query('delete from inbox where id = 2');
    await db.query(`update inbox set letter = 'x' where id = 3`);
    await db.query(`update inbox set size = 7 where id = 4`);
    change();
    await allFilled();
    expect(await rows()).toEqual([
      { id: 1, letter: 'w', size: null },
      { id: 3, letter: 'x', size: null },
      { id: 4, letter: 'h', size: 7 },
      { id: 5, letter: 'h', size: null },
    ]);
  });

  test('do not wait for one that somebody holds', async () => {
    await db.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 5) i`);
    await attachLetters();
    const held = await db.connect(() => undefined);
    await held.query('begin');
    await held.query('select from inbox where id = 3 for update');
    await startCoordinator();
    await eventually(db, 'select from inbox having count(letter) = 4');
    await held.query('rollback');
    await held.close();
    await allFilled();
    expect(await db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('are asked once where the model has no answer, or the column takes none', async () => {
    await db.query(`create table initial (letter text primary key)`);
    await db.query(`insert into initial values ('h'), ('w')`);
    await db.query('alter table inbox add foreign key (letter) references initial');
    await db.query(`insert into inbox (id, body) values (1, 'hello'), (2, '!'), (3, 'world'), (4, 'zebra')`);
    await attachLetters();
    await startCoordinator();
    await allFilled();
    expect(await rows()).toMatchObject([{ letter: 'h' }, { letter: null }, { letter: 'w' }, { letter: null }]);
    expect(
      await db.query(`select place::text, error ->> 'sqlstate' as state from rafiki.unanswered order by 1`),
    ).toEqual([
      { place: '(0,2)', state: '22000' },
      { place: '(0,4)', state: '23503' },
    ]);
    expect(await attachment()).toMatchObject({ unanswered: 2, to_come: null });
    bridge.requests = [];
    await db.query(`set local rafiki.fill_wait = 0; insert into inbox (id, body) values (5, 'hello')`);
    await allFilled();
    expect(verbs()).toEqual(['P']);
    await db.query(`set local rafiki.fill_wait = 0; update inbox set body = 'who' where id = 2`);
    await allFilled();
    expect((await rows())[1]).toMatchObject({ letter: 'w' });
  });

  test('outlast their coordinator', async () => {
    await attachLetters();
    await db.query(
      `set local rafiki.fill_wait = 0; insert into inbox (id, body) select i, 'hello' from generate_series(1, 3000) i`,
    );
    const say = bridge.answer;
    bridge.answer = () => new Promise(() => undefined);
    await startCoordinator();
    await eventually(
      db,
      'select from rafiki.attachment where waiting_since is not null and not exists (select from rafiki.attachment_mark)',
    );
    await coordinator?.stop();
    bridge.answer = say;
    await startCoordinator();
    await allFilled();
    expect(await db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('say in rafiki.attachments when the owner of the table has lost the right to the model', async () => {
    const alice = await database.as('alice');
    const [{ name } = { name: '' }] = await alice.query<{ name: string }>('select current_user::text as name');
    await db.query(`select rafiki_grant('letters', '${name}')`);
    await db.query(`alter table inbox owner to ${name}`);
    await alice.query(`select rafiki_attach('letters', 'inbox', 'body', 'letter')`);
    await db.query(`select rafiki_revoke('letters', '${name}')`);
    await alice.query(`insert into inbox (id, body) values (1, 'hello')`);
    await startCoordinator();
    await eventually(
      alice,
      `select from rafiki.attachments where last_error = 'the table''s owner may not use the model'`,
    );
    expect(await rows()).toMatchObject([{ letter: null }]);
    await db.query(`select rafiki_grant('letters', '${name}')`);
    await allFilled();
    expect(await rows()).toMatchObject([{ letter: 'h' }]);
  });

  test('are filled for writers who may neither use the model nor update the table', async () => {
    const mallory = await database.as('mallory');
    await db.query('grant insert on inbox to public');
    await attachLetters();
    await mallory.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 40) i`);
    expect(await db.query('select from inbox where letter is not null')).toEqual([]);
    await startCoordinator();
    await allFilled();
    expect(await db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('are filled where rows were replicated', async () => {
    await attachLetters();
    await db.transaction(async (tx) => {
      await tx.query('set local session_replication_role = replica');
      await tx.query(`insert into inbox (id, body, letter) values (1, 'hello', null), (2, 'hello', 'x')`);
    });
    expect(bridge.requests).toEqual([]);
    await startCoordinator();
    await allFilled();
    expect(await rows()).toMatchObject([{ letter: 'h' }, { letter: 'x' }]);
  });
});

describe('rafiki_attach', () => {
  test.each([
    [`'leters', 'inbox', 'body', 'letter'`, '42704'],
    [`'letters', 'inbox', 'bod', 'letter'`, '42703'],
    [`'letters', 'inbox', 'body', 'leter'`, '42703'],
    [`'letters', 'inbox', 'photo', 'letter'`, '42804'],
    [`'letters', 'inbox', 'body', 'body'`, '42701'],
  ])('refuses (%s)', async (args, code) => {
    expect(await failureOf(db, `select rafiki_attach(${args})`)).toMatchObject({ code, hint: expect.any(String) });
  });

  describe('with a model that says h and world', () => {
    beforeEach(() => db.query(`update rafiki.model_version set classes = '{h,world}'`));

    test.each([
      ['out int generated always as identity', '42804'],
      ['out text generated always as (body) stored', '42804'],
      ['out boolean', '42804'],
      ['out varchar(3)', '42804'],
      ['out int', '42804'],
      ['out text not null default 0', '42804'],
      ['out text unique', '42804'],
      [`out text default 'a text of its own'`, '42P10'],
    ])('refuses %s to hold predictions', async (column, code) => {
      await db.query(`insert into inbox (id, body) values (1, 'hello')`);
      await db.query(`alter table inbox add ${column}`);
      const failure = await failureOf(db, `select rafiki_attach('letters', 'inbox', 'body', 'out')`);
      expect(failure).toMatchObject({ code, detail: expect.any(String), hint: expect.any(String) });
    });

    test('takes a column that holds them', async () => {
      await db.query(`create type said as enum ('h', 'world')`);
      await db.query(`alter table inbox add a varchar(5), add b said`);
      for (const column of ['a', 'b']) await db.query(`select rafiki_attach('letters', 'inbox', 'body', '${column}')`);
      await filled(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 40) i`);
      expect(await db.query('select distinct a, b from inbox')).toEqual([{ a: 'h', b: 'h' }]);
    });

    test('refuses to overwrite what the model learnt from, through a view too, and columns that are swapped', async () => {
      await db.query('create view seen as select body, letter from inbox');
      const study = (source: string, target: string, feature: string): Promise<unknown> =>
        db.query(
          `with s as (insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state)
             values (current_user::regrole, 'text_classification', $1::regclass, 'letters', $2, array[$3::name], 1, '1 min', 0.2, 1, 'completed')
             returning id)
           update rafiki.model_version set study_id = s.id from s`,
          [source, target, feature],
        );
      const attach = (input: string, output: string): Promise<{ code: string; message: string }> =>
        failureOf(db, `select rafiki_attach('letters', 'inbox', '${input}', '${output}')`);
      await study('seen', 'letter', 'body');
      expect(await attach('body', 'letter')).toMatchObject({
        code: '42P10',
        message: expect.stringContaining('learnt from'),
      });
      expect(await attach('letter', 'body')).toMatchObject({
        code: '42P10',
        message: expect.stringContaining('swapped'),
      });
    });
  });

  test('refuses an input that triggers do not see, and what is no table', async () => {
    await db.query(`alter table inbox add loud text generated always as (upper(body)) stored`);
    await db.query('create view seen as select * from inbox');
    expect(await failureOf(db, `select rafiki_attach('letters', 'inbox', 'loud', 'letter')`)).toMatchObject({
      code: '428C9',
    });
    expect(await failureOf(db, `select rafiki_attach('letters', 'seen', 'body', 'letter')`)).toMatchObject({
      code: '42809',
    });
  });

  test('puts boxes into jsonb as what they are', async () => {
    await db.query('alter table inbox add boxes jsonb');
    bridge.answer = (fields) => reply(fields[0] === 'p' ? '[{"label":"a"}]' : '{"[{\\"label\\":\\"a\\"}]"}');
    await db.query(`select rafiki_attach('finder', 'inbox', 'photo', 'boxes')`);
    await db.query(`insert into inbox (id, photo) values (1, '\\x01')`);
    await db.query(`set local rafiki.fill_wait = 0; insert into inbox (id, photo) values (2, '\\x01')`);
    await startCoordinator();
    await allFilled();
    expect(await db.query(`select boxes -> 0 ->> 'label' as label from inbox`)).toEqual([
      { label: 'a' },
      { label: 'a' },
    ]);
  });

  test('ends with rafiki_detach, and what is predicted stays', async () => {
    await attachLetters();
    await filled(`insert into inbox (id, body) values (1, 'hello')`);
    const detach = `select rafiki_detach('inbox', 'letter') as done`;
    expect([await db.query(detach), await db.query(detach)]).toEqual([[{ done: true }], [{ done: false }]]);
    await db.query(`update inbox set body = 'world'`);
    expect(await rows()).toMatchObject([{ letter: 'h' }]);
    expect(await db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toEqual([]);
    expect(await db.query('select from rafiki.attachment')).toEqual([]);
  });

  test('attached again changes the model', async () => {
    await attachLetters();
    await db.query(
      `insert into rafiki.model (name, task, owner) values ('others', 'sentiment', current_user::regrole)`,
    );
    await db.query(`select rafiki_attach('others', 'inbox', 'body', 'letter')`);
    expect(await db.query('select model from rafiki.attachments')).toEqual([{ model: 'others' }]);
    expect(await db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toHaveLength(4);
  });

  test('keeps the model from being dropped, unless its tables are to be detached', async () => {
    await attachLetters();
    const failure = await failureOf(db, `select rafiki_drop_model('letters')`);
    expect(failure).toMatchObject({
      code: '2BP01',
      detail: 'Column letter of table public.inbox is filled by it.',
      hint: expect.stringContaining('cascade => true'),
    });
    await db.query(`select rafiki_drop_model('letters', cascade => true)`);
    await db.query(`insert into inbox (id, body) values (1, 'hello')`);
    expect(await db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toEqual([]);
  });

  test('is for the owner of the table, in whose name it is filled', async () => {
    const mallory = await database.as('mallory');
    await db.query('grant select, insert, update, trigger on inbox to public');
    const grant = `insert into rafiki.model_grant (model_id, role, owner)
      select m.id, r.oid::regrole, m.owner from rafiki.model m, pg_roles r where r.rolname like 'mallory%' || current_database()`;
    await db.query(grant);
    const failure = await failureOf(mallory, `select rafiki_attach('letters', 'inbox', 'body', 'letter')`);
    expect(failure.code).toBe('42501');
    const [{ name } = { name: '' }] = await mallory.query<{ name: string }>('select current_user::text as name');
    await db.query(`create table hers (id int primary key, body text, letter text)`);
    await db.query(`alter table hers owner to ${name}`);
    await db.query(`select rafiki_attach('letters', 'hers', 'body', 'letter')`);
    const owner = `select proowner::regrole::text as name from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`;
    expect(await db.query(owner)).toEqual([{ name }]);
  });

  test('is forgotten with its table, which keeps no model from being dropped meanwhile', async () => {
    await attachLetters();
    await db.query('drop table inbox');
    await db.query(`begin; select rafiki_drop_model('letters'); rollback`);
    await db.query('select rafiki._drop_readers()');
    expect(await db.query('select from rafiki.attachment')).toEqual([]);
    expect(await db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual([]);
  });
});
