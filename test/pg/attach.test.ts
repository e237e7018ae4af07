import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { Inbox } from '../support/inbox.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

const inbox = new Inbox();

describe('a statement', () => {
  test('predicts new rows and those whose input is written', async () => {
    await inbox.attachLetters();
    await inbox.db.query(`select rafiki_attach('sizes', 'inbox', 'photo', 'size')`);
    await inbox.db.query(`insert into inbox (id, body, photo) values (1, 'hello', '\\x0102'), (2, null, null)`);
    expect(await inbox.rows()).toEqual([
      { id: 1, letter: 'h', size: 2 },
      { id: 2, letter: null, size: null },
    ]);
    await inbox.db.query(`update inbox set body = 'world' where id = 2`);
    inbox.bridge.requests = [];
    await inbox.db.query(`update inbox set id = 3 where id = 2`);
    expect(inbox.bridge.requests).toEqual([]);
    expect((await inbox.rows())[1]).toEqual({ id: 3, letter: 'w', size: null });
    await inbox.db.query('update inbox set body = null where id = 3');
    expect((await inbox.rows())[1]).toEqual({ id: 3, letter: null, size: null });
    expect(await inbox.marks()).toBe(0);
  });

  test('reports a text that is too large for a request', async () => {
    await inbox.attachLetters();
    await inbox.db.query(`insert into inbox (id, body) values (1, repeat('y ', 4100000))`);
    expect(await inbox.db.query('select from rafiki.attachment_mark')).toHaveLength(1);
  });

  test("writes in a transaction whose snapshot is older than the coordinator's changes", async () => {
    await inbox.attachLetters();
    const many = (first: number): string =>
      `insert into inbox (id, body) select i, 'a text' from generate_series(${first}, ${first} + 99) i`;
    const writer = await inbox.db.connect(() => undefined);
    await writer.query('set rafiki.fill_wait = 0');
    await writer.query(many(1));
    await writer.query('begin isolation level repeatable read');
    await writer.query('select from inbox');
    await inbox.db.query('delete from rafiki.attachment_mark');
    await writer.query(many(1000));
    await writer.query('commit');
    expect(await inbox.db.query('select from rafiki.attachment_mark')).toHaveLength(1);
    await writer.close();
  });

  test('returns the predictions of its first rows, and requests the others together', async () => {
    await inbox.attachLetters();
    const returned = await inbox.db.query<{ letter: string | null }>(
      `insert into inbox (id, body) select i, chr(97 + i % 26) || ' text' from generate_series(1, 1000) i returning letter`,
    );
    const asked = inbox.verbs().filter((verb) => verb === 'P').length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(32);
    expect(returned.map(({ letter }) => letter !== null)).toEqual(returned.map((_, row) => row < asked));
    expect(await inbox.db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    expect(inbox.verbs().filter((verb) => verb === 'A').length).toBeLessThan(8);
    expect(await inbox.marks()).toBe(0);
  });

  test('replaces the value of a writer, unless keep is set', async () => {
    const insert = `insert into inbox (id, body, letter) select i, 'hello', 'x' from generate_series(1, 40) i`;
    const labels = (): Promise<unknown[]> => inbox.db.query('select letter, count(*)::int from inbox group by 1');
    await inbox.attachLetters();
    await inbox.filled(insert);
    expect(await labels()).toEqual([{ letter: 'h', count: 40 }]);
    await inbox.db.query('truncate inbox');
    await inbox.attachLetters(', keep => true');
    await inbox.db.query(insert);
    expect(await labels()).toEqual([{ letter: 'x', count: 40 }]);
    await inbox.db.query(`update inbox set body = 'world', letter = 'y' where id = 1`);
    await inbox.filled(`update inbox set body = 'world' where id = 2`);
    await inbox.filled(`update inbox set letter = null where id = 3`);
    expect((await inbox.rows()).slice(0, 4)).toMatchObject([
      { letter: 'y' },
      { letter: 'w' },
      { letter: 'h' },
      { letter: 'x' },
    ]);
  });

  test('works with upserts, COPY-like loads without a key, and within functions that write row by row', async () => {
    await inbox.attachLetters();
    const upsert = `insert into inbox (id, body) values (1, $1) on conflict (id) do update set body = excluded.body`;
    for (const body of ['hello', 'world']) await inbox.filled(upsert.replace('$1', `'${body}'`));
    expect(await inbox.rows()).toMatchObject([{ letter: 'w' }]);
    await inbox.filled(
      `do $$ begin for i in 2..40 loop insert into inbox (id, body) values (i, 'row'); end loop; end $$`,
    );
    expect(await inbox.db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    await inbox.db.query('alter table inbox drop constraint inbox_pkey');
    await inbox.db.query(`insert into inbox (id, body) select 9, 'hello' from generate_series(1, 40)`);
    const waits = 'select count(*)::int as rows from inbox where letter is null';
    expect(await inbox.db.query(waits)).not.toEqual([{ rows: 0 }]);
    expect(await inbox.marks()).toBe(1);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query(waits)).toEqual([{ rows: 0 }]);
  });

  test('follows renamed columns and tables, whose columns cannot be dropped alone', async () => {
    await inbox.attachLetters();
    await inbox.db.query('alter table inbox rename body to content');
    await inbox.db.query('alter table inbox rename letter to initial');
    await inbox.db.query('alter table inbox rename to outbox');
    await inbox.filled(`insert into outbox (id, content) select i, 'hello' from generate_series(1, 40) i`);
    expect(await inbox.db.query('select distinct initial from outbox')).toEqual([{ initial: 'h' }]);
    expect(await inbox.attachment()).toMatchObject({ relation: 'outbox', input: 'content', output: 'initial' });
    for (const column of ['content', 'initial'])
      expect(await failureOf(inbox.db, `alter table outbox drop ${column}`)).toMatchObject({ code: '2BP01' });
    await inbox.db.query('alter table outbox drop initial cascade');
    await inbox.db.query(`insert into outbox (id, content) select i, 'hello' from generate_series(101, 140) i`);
    expect(await inbox.db.query(`select rafiki_detach('outbox', 'initial') as done`)).toEqual([{ done: true }]);
    expect(await inbox.attachment()).toEqual({});
  });

  test('works on partitioned tables, also if a partition is written directly', async () => {
    await inbox.db.query('create table parts (id int primary key, body text, letter text) partition by range (id)');
    await inbox.db.query('create table low partition of parts for values from (0) to (100)');
    await inbox.db.query('create table high (gone int, letter text, body text, id int not null)');
    await inbox.db.query('alter table high drop gone');
    await inbox.db.query('alter table parts attach partition high for values from (100) to (10000)');
    await inbox.db.query(`select rafiki_attach('letters', 'parts', 'body', 'letter')`);
    await inbox.db.query(`insert into parts (id, body) select i, 'hello' from generate_series(50, 149) i`);
    await inbox.db.query(`insert into high (id, body) select i, 'world' from generate_series(200, 300) i`);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query('select from parts where letter is distinct from left(body, 1)')).toEqual([]);
  });
});

describe('while no server answers, a statement', () => {
  test('leaves rows unfilled; they are filled when one answers', async () => {
    await inbox.attachLetters();
    await inbox.bridge.stop();
    await inbox.db.query(`insert into inbox (id, body) values (1, 'hello')`);
    await inbox.db.query(`insert into inbox (id, body) select i, 'world' from generate_series(2, 3000) i`);
    await inbox.db.query(`update inbox set body = 'again' where id = 2`);
    await inbox.startCoordinator();
    await eventually(inbox.db, `select from rafiki.attachments where to_come = 3000 and last_error like '%server%'`);
    await inbox.startBridge();
    await inbox.allFilled();
    expect(await inbox.db.query('select from inbox where letter is distinct from left(body, 1)')).toEqual([]);
    expect(await inbox.attachment()).toMatchObject({ to_come: null, oldest: null, last_error: null, unanswered: 0 });
    expect((await inbox.attachment())['last_fill']).not.toBeNull();
  });

  test('does not wait longer than rafiki.fill_wait for a hanging server, nor does the next one', async () => {
    await inbox.attachLetters();
    inbox.bridge.answer = () => new Promise(() => undefined);
    await inbox.db.transaction(async (tx) => {
      await tx.query(`set local rafiki.fill_wait = '300ms'`);
      const startedMs = performance.now();
      await tx.query(`insert into inbox (id, body) values (1, 'hello')`);
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(280);
      expect(inbox.verbs()).toEqual(['P']);
      await tx.query(`insert into inbox (id, body) values (2, 'hello')`);
      expect(inbox.verbs()).toEqual(['P']); // what asks nothing waits for nothing
      await tx.query('truncate inbox');
    });
  });

  test('does not wait if rafiki.fill_wait is 0; a value outside 0 to 1s is refused', async () => {
    await inbox.attachLetters();
    await inbox.db.transaction(async (tx) => {
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
    expect(await inbox.rows()).toMatchObject([{ letter: null }]);
    expect(inbox.bridge.requests).toEqual([]);
  });

  test('leaves no mark if it is rolled back', async () => {
    await inbox.attachLetters();
    await inbox.bridge.stop();
    const insert = (tx: Pick<Database, 'query'>, id: number): Promise<unknown> =>
      tx.query(`insert into inbox (id, body) values ($1, 'hello')`, [id]);
    await expect(
      inbox.db.transaction(async (tx) => {
        await insert(tx, 1);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await inbox.marks()).toBe(0);
    await inbox.db.transaction(async (tx) => {
      await tx.query('savepoint s');
      await insert(tx, 2);
      await tx.query('rollback to savepoint s');
      await insert(tx, 3);
    });
    expect(await inbox.marks()).toBe(1);
  });
});
