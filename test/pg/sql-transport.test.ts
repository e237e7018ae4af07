import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import type { Reply } from '../../src/protocol/reply.ts';
import { type AskingSession, startAsking } from '../support/asking-session.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

let database: TestDatabase;
let db: Database;
let alice: Database;
let bridge: ScriptedBridge;
let asking: AskingSession;
let ask: AskingSession['ask'];

beforeEach(async () => {
  asking = await startAsking();
  ({ database, db, alice, bridge, ask } = asking);
});
afterEach(() => asking.stop());

describe('a request', () => {
  test('has key, role, budget, on_overdue and input', async () => {
    const [model] = await db.query<{ key: string; owner: string }>(
      'select a.key, m.owner::text from rafiki.model m join rafiki.model_access a using (id)',
    );
    await alice.query(`set rafiki.on_overdue = 'null'`);
    expect(await ask(`rafiki_predict('m', E'ein Text\\n\\x1f mit ümläut', '250 ms')`)).toBe('< mit ümläut>');
    const [verb, key, role, budget, onOverdue, statement, ...text] = bridge.requests[0] ?? [];
    expect([verb, key, role, onOverdue]).toEqual(['N', model?.key, model?.owner, 'null']);
    expect(budget).toMatch(/^250\.0+ms$/);
    expect(statement).toMatch(/^\d+\.\d+ \d+:\d+:\S* alice_/);
    expect(text.join('\x1f')).toBe('ein Text\n\x1f mit ümläut');
  });

  test('has the budget of the setting, and no statement if reading ahead is off', async () => {
    await alice.query(`set rafiki.latency_budget = '80ms'`);
    await alice.query('set rafiki.read_ahead = off');
    await ask(`rafiki_predict('m', '')`);
    expect(bridge.requests[0]?.slice(3)).toEqual(['80ms', '', '', '']);
    expect(await failureOf(alice, `select rafiki_predict('m', 'x', '-1 s')`)).toMatchObject({ code: '22023' });
  });

  test('of many texts keeps order and nulls', async () => {
    bridge.answer = (fields) =>
      reply(
        `{${readInputs(fields.at(-1) ?? '')
          .map((text) => `"${text}!"`)
          .join()}}`,
      );
    expect(await ask(`rafiki_predict('m', array['a', null, 'b'])`)).toEqual(['a!', null, 'b!']);
    expect(await ask(`rafiki_predict('m', array['a', 'b'])`)).toEqual(['a!', 'b!']);
    expect(bridge.requests.every(([verb]) => verb === 'A')).toBe(true);
    bridge.requests = [];
    expect(await ask(`rafiki_predict('m', array[null]::text[])`)).toEqual([null]);
    expect(await ask(`rafiki_predict('m', '{}'::text[])`)).toEqual([]);
    expect(await ask(`rafiki_predict('m', null::text[])`)).toBeNull();
    expect(await ask(`rafiki_predict('m', null)`)).toBeNull();
    expect(bridge.requests).toEqual([]);
    expect((await failureOf(alice, `select rafiki_predict('m', array[['a'], ['b']])`)).code).toBe('2202E');
  });

  describe('of any size', () => {
    const lengths = (fields: string[]): Reply => {
      if (/^n/i.test(fields[0] ?? '')) return reply(String(fields.slice(6).join('\x1f').length));
      return reply(
        `{${readInputs(fields.slice(5).join('\x1f'))
          .map((text) => text?.length)
          .join()}}`,
      );
    };
    beforeEach(() => {
      bridge.answer = lengths;
    });

    test.each([
      [
        'texts that end just before a part does',
        `array[repeat('a', 3999990), repeat('b', 3999990), 'c']`,
        '{3999990,3999990,1}',
      ],
      [
        'what JSON writes in six bytes',
        `array_fill(repeat(e'\\x01', 1000000), array[5])`,
        '{1000000,1000000,1000000,1000000,1000000}',
      ],
      [
        'the longest among short ones',
        `array['a', repeat(e'\\n', 8000000), 'b', repeat('字', 2600000)]`,
        '{1,8000000,1,2600000}',
      ],
      ['many', `array_fill('ab'::text, array[40000])`, `{${new Array(40_000).fill(2).join()}}`],
    ])('arrays: %s', async (_, texts, expected) => {
      expect(await ask(`rafiki_predict('m', ${texts})::text`)).toBe(expected);
    });

    test('arrays of many small images, too', async () => {
      expect(await ask(`cardinality(rafiki_predict('m', array_fill('\\x00'::bytea, array[70000])))`)).toBe(70_000);
    });

    test('a text above 8,000,000 bytes is refused in every form', async () => {
      expect(await ask(`rafiki_predict('m', repeat('a', 8000000))`)).toBe('8000000');
      const refused = { code: '54000', detail: 'It has 8000001 bytes; the maximum is 8000000.' };
      for (const form of ['rafiki_predict', 'rafiki_predict_detail'])
        expect(await failureOf(alice, `select ${form}('m', repeat('a', 8000001))`)).toMatchObject(refused);
      const array = `select rafiki_predict('m', array['a', repeat('a', 8000001)])`;
      expect(await failureOf(alice, array)).toMatchObject(refused);
    });
  });

  test('states both the session and the owner with whose rights a function predicts', async () => {
    await db.query(
      `create function as_owner() returns text language sql security definer as $$ select rafiki_predict('m', 'x') $$`,
    );
    await db.query('grant execute on function as_owner() to public');
    expect(await ask('as_owner()')).toBe('<x>');
    const [, , role, , , statement = ''] = bridge.requests[0] ?? [];
    const [owner] = await db.query<{ name: string }>('select current_user::text as name');
    expect(role).toMatch(/^alice_/);
    expect(statement.split(' ').slice(2).join(' ')).toBe(owner?.name);
  });

  test('takes any argument, which is evaluated once', async () => {
    await alice.query('create temp sequence calls');
    const costly = `(select 'x' || nextval('calls'))`;
    expect(await ask(`rafiki_predict('m', ${costly})`)).toBe('<x1>');
    expect(await ask(`rafiki_predict('m', rafiki_predict('m', ${costly}))`)).toBe('<<x2>>');
    expect(await ask(`rafiki_predict(model => 'm', budget => '1 s', input => upper('x'))`)).toBe('<X>');
  });

  test('for details gives JSON', async () => {
    bridge.answer = () => reply('{"label": "pos"}');
    expect(await ask(`rafiki_predict_detail('m', 'x')`)).toEqual({ label: 'pos' });
    expect(bridge.requests[0]?.[0]).toBe('D');
  });
});

describe('an answer', () => {
  test('that takes long is polled for', async () => {
    const replies = [reply('7', 'w'), reply('8', 'w'), reply('done')];
    bridge.answer = () => replies.shift() ?? reply(null);
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('done');
    expect(bridge.requests.slice(1)).toEqual([
      ['R', '7'],
      ['R', '8'],
    ]);
  });

  test('with an error has its SQLSTATE, message, detail and hint', async () => {
    const error = { sqlstate: '53400', message: 'full', detail: '1000 rows', hint: 'later' };
    bridge.answer = () => reply(JSON.stringify(error), 'e');
    await asking.deploy();
    const { sqlstate, ...rest } = error;
    expect(await failureOf(alice, `select rafiki_predict('m', 'x')`)).toEqual({ code: sqlstate, ...rest });
  });

  test('for a model that is not deployed names the statement to deploy it', async () => {
    bridge.answer = () => reply('{"sqlstate": "42704", "message": "no such key"}', 'e');
    await db.query(
      `insert into rafiki.model_version (model_id, version, score, classes) select id, 3, 1, '{}' from rafiki.model`,
    );
    expect(await failureOf(alice, `select rafiki_predict('m', 'x')`)).toMatchObject({
      code: '55000',
      hint: `Deploy it with: select rafiki_deploy('m', 3);`,
    });
  });

  test('can be cancelled while it is waited for, and the session continues', async () => {
    let ticket = 0;
    bridge.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return reply(String(ticket++), 'w');
    };
    await alice.query(`set statement_timeout = '300ms'`);
    expect((await failureOf(alice, `select rafiki_predict('m', 'x')`)).code).toBe('57014');
    expect(ticket).toBeLessThan(10); // it did not go on asking
    bridge.answer = () => reply('again');
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('again');
  });
});

describe('a server', () => {
  test('that stopped causes an error, and is reached again after a restart', async () => {
    await ask(`rafiki_predict('m', 'x')`);
    const { port } = bridge;
    await bridge.stop();
    const failure = await failureOf(alice, `select rafiki_predict('m', 'x')`);
    expect(failure).toMatchObject({ code: '08006', hint: expect.stringContaining('rafiki serve') });
    await bridge.listen({ port });
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('<x>');
  });

  test('that was restarted between two calls is reached without an error', async () => {
    await ask(`rafiki_predict('m', 'x')`);
    const { port } = bridge;
    await bridge.stop();
    await bridge.listen({ port });
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('<x>');
  });

  test('with a new address is reached there', async () => {
    await ask(`rafiki_predict('m', 'x')`);
    await bridge.stop();
    await bridge.listen({ announceTo: db });
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('<x>');
  });

  test('of a database gets no requests from a copy of it, which has a server of its own', async () => {
    expect(await ask(`rafiki_predict('m', 'x')`)).toBe('<x>');
    await Promise.all([db.stop(), alice.stop(), database.service.stop()]);
    const copy = await createTestDatabase(new URL(database.url).pathname.slice(1));
    const own = new ScriptedBridge();
    own.answer = () => reply('its own');
    try {
      expect(await failureOf(copy.db, `select rafiki_predict('m', 'x')`)).toMatchObject({
        code: '08006',
        message: 'no rafiki server has run for this database yet',
      });
      await own.listen({ announceTo: copy.db });
      expect(await ask(`rafiki_predict('m', 'x')`, copy.db)).toBe('its own');
      expect(bridge.requests).toHaveLength(1);
    } finally {
      await copy.drop();
      await own.stop();
    }
  });

  test('that dies during the handshake is replaced by another one', async () => {
    const dying = createServer((socket) => {
      dying.close();
      socket.destroy();
    });
    await new Promise<void>((resolve) => dying.listen(0, '0.0.0.0', resolve));
    const { port } = dying.address() as AddressInfo;
    await db.query(`select rafiki._connect_bridge('0.0.0.0', $1, 'secret')`, [port]); // the first of the two
    while (dying.listening) {
      const session = await database.as('alice'); // takes either where libpq chooses at random
      expect(await ask(`rafiki_predict('m', 'x')`, session)).toBe('<x>');
    }
  });

  test('behind a Unix socket is reached over loopback while another one is on another machine', async () => {
    const options = async (): Promise<string[]> =>
      (
        await db.query<{ option: string }>(
          `select unnest(srvoptions) as option from pg_foreign_server where srvname = 'rafiki_bridge'`,
        )
      ).map(({ option }) => option);
    await db.query(`select rafiki._connect_bridge('/run/rafiki', 5000, 'secret')`);
    expect(await options()).toEqual(expect.arrayContaining(['host=/run/rafiki,127.0.0.1', 'sslmode=disable']));
    await db.query(`select rafiki._connect_bridge('10.1.2.3', 5001, 'secret')`);
    expect(await options()).toEqual(
      expect.arrayContaining(['host=localhost,10.1.2.3,127.0.0.1', 'sslmode=require', 'channel_binding=require']),
    );
    await db.query(`select rafiki._disconnect_bridge('10.1.2.3', 5001)`);
    expect(await options()).toEqual(expect.arrayContaining(['host=/run/rafiki,127.0.0.1', 'channel_binding=disable']));
  });

  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

  test.skipIf(elsewhere === undefined)('on another machine is reached over TLS, and local ones too', async () => {
    const far = new ScriptedBridge();
    await far.listen({ host: elsewhere as string, announceTo: db });
    const [server] = await db.query<{ options: string[] }>(
      `select srvoptions as options from pg_foreign_server where srvname = 'rafiki_bridge'`,
    );
    expect(server?.options).toEqual(expect.arrayContaining(['sslmode=require', 'channel_binding=require']));
    const { port } = far;
    for (let i = 0; far.requests.length === 0 || bridge.requests.length === 0; i++) {
      expect(i).toBeLessThan(40);
      if (i === 20) await bridge.stop(); // PostgreSQL 15 takes the first that listens, not one at random
      const session = await database.as('alice');
      expect(await ask(`rafiki_predict('m', 'x')`, session)).toBe('<x>');
    }
    await db.query(`alter server rafiki_bridge options (set host '${elsewhere}', set port '${port}',
                                                        set sslmode 'disable', set channel_binding 'disable')`);
    const failure = await failureOf(await database.as('alice'), `select rafiki_predict('m', 'x')`);
    expect(failure).toMatchObject({ code: '08006', detail: expect.stringContaining('over TLS only') });
    await far.stop();
  });

  const literal = (sql: string): string => `'${sql.replaceAll("'", "''")}'`;
  async function createTexts(): Promise<void> {
    await db.query('create table texts as select i::text as body from generate_series(1, 2000) i');
    await db.query('grant select on texts to public');
  }

  test('gets requests from the workers of a parallel query, too', async () => {
    await createTexts();
    const forced = postgresVersion() >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
    await alice.query(`set ${forced} = on`);
    const rows = await alice.query(`select body from texts where rafiki_predict('m', body) <> '<' || body || '>'`);
    expect(rows).toEqual([]);
    await bridge.stop();
    const failure = await failureOf(alice, `select rafiki_predict('m', body) from texts`);
    expect(failure.code).toBe(postgresVersion() >= 17 ? '08006' : '08001');
  });

  test.each([
    ['as a table, in a new session', false, (query: string) => `create temp table filled as ${query}`],
    ['as a table, after a request', true, (query: string) => `create temp table filled as ${query}`],
    ['into a table', false, (query: string) => query.replace(' from ', ' into temp filled from ')],
    [
      'in a block',
      false,
      (query: string) => `do $$ begin execute 'create temp table filled as ' || ${literal(query)}; end $$`,
    ],
  ])('fills a table %s, while the query is parallel', async (_, isConnected, filling) => {
    await createTexts();
    const session = await alice.connect(() => undefined);
    try {
      await session.query(
        `set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0`,
      );
      if (isConnected) await session.query(`select rafiki_predict('m', 'a')`);
      const query = `select body, rafiki_predict('m', body) as label from texts where body > '1'`;
      const plan = await session.query<{ 'QUERY PLAN': string }>(`explain ${query}`);
      expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain('Gather');
      await session.query(filling(query));
      expect(await session.query(`select from filled where label <> '<' || body || '>'`)).toEqual([]);
    } finally {
      await session.close();
    }
  });
});

describe('an image', () => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
  const hex = `'\\x${bytes.toString('hex')}'::bytea`;
  const decoded = (base64: string | undefined): Buffer => Buffer.from(base64 ?? '', 'base64');

  test('goes to the server whole, under a verb of its own; a literal without a type is a text', async () => {
    await ask(`rafiki_predict('m', ${hex})`);
    await ask(`rafiki_predict_detail('m', ${hex})`).catch(() => undefined); // the answer is no JSON
    expect(bridge.requests.map(([verb]) => verb)).toEqual(['n', 'd']);
    for (const request of bridge.requests) expect(decoded(request.at(-1))).toEqual(bytes);
    await ask(`rafiki_predict('m', '\\x00')`);
    expect(bridge.requests.at(-1)?.[0]).toBe('N');
    bridge.requests = [];
    expect(await ask(`rafiki_predict('m', null::bytea)`)).toBeNull();
    expect(await ask(`rafiki_predict_detail('m', null::bytea)`)).toBeNull();
    expect(await alice.query(`select * from rafiki_detect('m', null)`)).toEqual([]);
    expect(bridge.requests).toEqual([]);
  });

  test('of many keeps order and nulls, in parts of 16 MB', async () => {
    bridge.answer = (fields) => {
      const images = readInputs(fields.at(-1) ?? '') as string[];
      return reply(`{${images.map((image) => decoded(image).length).join()}}`);
    };
    const images = `array[${hex}, null, ''::bytea, decode(repeat('ab', 17 * 1024 * 1024), 'hex'), ${hex}]`;
    expect(await ask(`rafiki_predict('m', ${images})`)).toEqual(['200', null, '0', String(17 * 1024 * 1024), '200']);
    expect(bridge.requests.map(([verb]) => verb)).toEqual(['a', 'a']);
    expect(await ask(`rafiki_predict('m', '{}'::bytea[])`)).toEqual([]);
    expect(await ask(`rafiki_predict('m', array[null]::bytea[])`)).toEqual([null]);
  });

  test('of a scan is read ahead, in short windows where images are long', async () => {
    await db.query(
      `create table photos as select decode(repeat(to_hex(i + 16), 1500000), 'hex') as image from generate_series(1, 8) i`,
    );
    await db.query(`alter table photos alter column image set storage external; grant select on photos to public`);
    bridge.answer = (fields) => (fields[0] === 'v' ? reply(null) : reply('x', 'h', '?;512'));
    await alice.query(`select rafiki_predict('m', image) from (select image from photos limit 1) t`);
    const [, , , place, images] = bridge.requests.find(([verb]) => verb === 'v') ?? [];
    const sent = readInputs(images ?? '[]').map((image) => image && decoded(image));
    expect(sent.map((image) => image && [image[0], image.length])).toEqual([
      null,
      ...[18, 19].map((first) => [first, 1_500_000]),
    ]);
    expect(place).toMatch(/^\d+;1;;\(\d+,\d+\)$/);
  });

  test('gives objects with detectors only, uncertain ones on demand', async () => {
    expect(await failureOf(alice, `select * from rafiki_detect('m', ${hex})`)).toMatchObject({
      code: '42809',
      detail: 'Its task is sentiment.',
    });
    await db.query(`update rafiki.model set task = 'object_detection'`);
    const box = { label: 'apple', score: 0.5, x: 1, y: 2.5, w: 3, h: 4 };
    bridge.answer = () => reply(JSON.stringify([box, { ...box, score: 0.3 }]));
    expect(await alice.query(`select * from rafiki_detect('m', ${hex}, 0.4)`)).toEqual([box]);
    bridge.answer = () => reply(JSON.stringify({ boxes: [box, { ...box, score: 0.25 }, { ...box, score: 0.1 }] }));
    expect(await alice.query(`select score from rafiki_detect('m', ${hex}, 0.2)`)).toEqual([
      { score: 0.5 },
      { score: 0.25 },
    ]);
    expect(bridge.requests.map(([verb]) => verb)).toEqual(['n', 'd']);
  });
});
