import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ReaderLogin } from '../../src/db/reader-login.ts';
import { admitReader } from '../../src/db/statements/readings.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Attempts } from '../support/attempts.ts';
import { code, createStage, type HostileStage } from '../support/hostile-stage.ts';
import { createReviews } from '../support/studies.ts';

/** The login that reads sources, in sessions of its own. */
const attempts = new Attempts('reader');
let stage: HostileStage;

beforeAll(async () => {
  stage = await createStage();
  const { db } = stage.database;
  await createReviews(db, 40);
  await db.query('grant select on reviews to public');
  await stage.addModel('hers', stage.modelOwner);
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

const hashOf = (ticket = ''): string => createHash('sha256').update(ticket).digest('hex');

describe('the login that reads sources', () => {
  /** In a session that our service has opened for the function of a ticket, or for none. */
  const asReader = async (sql: string, ticket = 'none'): Promise<string> => {
    const { connection, pid } = await new ReaderLogin({
      serviceUrl: stage.database.service.url,
      logger: silentLogger,
    }).connect({ statementTimeout: '1min', maxBytes: 2 ** 20 });
    await stage.database.service.query('insert into rafiki.reading (pid, ticket) values ($1, $2)', [pid, ticket]);
    const found = await code(connection, sql);
    await connection.close();
    return found;
  };

  test("reads with no other role's rights, even after a change of the function's owner", async () => {
    const { database, modelOwner, grantee } = stage;
    const [study] = await modelOwner.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'given away') as id`,
    );
    const [{ reader } = { reader: '' }] = await database.db.query<{ reader: string }>(
      'select reader::text as reader from rafiki.study where id = $1',
      [study?.id],
    );
    const owned = (role: string): string =>
      `select format('alter function %s owner to ${role}', oid::regprocedure) as sql from pg_proc where proname = '${reader}'`;
    const purpose = { of: 'study', id: Number(study?.id) } as const;
    const [give] = await database.db.query<{ sql: string }>(owned(grantee.sql));
    await database.db.query(give?.sql ?? '');
    await expect(admitReader(database.service, 1, purpose)).rejects.toMatchObject({
      sqlstate: '55000',
      hint: 'Train again.',
    });
    const [back] = await database.db.query<{ sql: string }>(owned(modelOwner.sql));
    await database.db.query(back?.sql ?? '');
    await admitReader(database.service, 1, purpose);
    await database.db.query('delete from rafiki.reading where pid = 1');
    await modelOwner.session.query('select rafiki_cancel($1)', [study?.id]);
  });

  test('gets nothing from other functions without their ticket, and nothing elsewhere', async () => {
    const [made] = await stage.modelOwner.session.query<{ reader: string; ticket: string }>(
      `select reader, ticket from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, '{"source": "reviews", "task": "sentiment", "target": "label", "features": ["body"]}'))`,
    );
    const name = `rafiki_reader."${made?.reader}"`;
    const call = `${name}(${Array(100).fill('true').join()})`;
    // what another role creates under its name neither replaces it nor blocks it
    for (const args of [
      '',
      'x int default 1',
      'variadic x int[]',
      'variadic x boolean[]',
      'variadic x "any"',
      `${Array(99).fill('boolean').join()}, x text default null`,
      Array(100)
        .fill('x')
        .map((_, i) => `x${i} boolean default true`)
        .slice(0, 99)
        .join(),
      Array(100).fill('text').join(),
      Array(100).fill('anyelement').join(),
    ]) {
      await stage.otherRole.session
        .query(`create function ${name}(${args}) returns setof text language sql as 'select ''planted'''`)
        .catch(() => undefined);
    }
    const wanted: [string, string[]][] = [
      [`select count(*) as v from ${call}`, ['42501']],
      [
        `select count(*) as v from (select set_config('rafiki.ticket', '${made?.reader}', false) offset 0) s, ${call}`,
        ['42501'],
      ],
      [
        `select count(*) as v from (select set_config('rafiki.ticket', '${made?.ticket}', false) offset 0) s, ${call}`,
        ['42501'],
      ],
      ['select * from public.reviews', ['ok']], // which every role may read
      ['create table public.x ()', ['42501']],
      ['create temp table x ()', ['ok']],
      ['set role rafiki_service', ['42501']],
      ['set role rafiki_owner', ['42501']],
      ['select * from rafiki.bridge', ['42501']],
      ['select * from rafiki.params', ['42501']],
      ['select count(*)::int as v from rafiki.study', ['0']],
      ['select count(*)::int as v from rafiki.model', ['0']],
      [`select pg_read_file('/etc/passwd')`, ['42501']],
      [`select lo_import('/etc/passwd')`, ['42501']],
      [`copy (select 1) to program 'true'`, ['42501']],
      [`alter role rafiki_service password 'x'`, ['42501']],
      [`drop function ${name}`, ['42501', '42725']],
      [`select rafiki_dblink.dblink_get_connections()`, ['42501']],
      [
        `select pg_terminate_backend(pid) from pg_stat_activity where usename in ('postgres', 'rafiki_service')`,
        ['42501'],
      ],
      [
        `select count(*)::int as v from pg_stat_activity where usename <> 'rafiki_reader' and query not like '<insufficient%' and query <> ''`,
        ['0'],
      ],
    ];
    for (const [sql, states] of wanted) attempts.note(`reader: ${sql}`, await asReader(sql), states);
    const rows = `select count(*)::int as v from ${call}`;
    attempts.note('reader: admitted', await asReader(rows, hashOf(made?.ticket)), ['40']);
    attempts.note('reader: the ticket itself', await asReader(rows, made?.ticket), ['42501']);
    for (const person of [stage.otherRole, stage.dbo, stage.grantee, stage.modelOwner])
      attempts.note(`${person.name} calls a reader`, await code(person.session, `select * from ${call}`), ['42501']);
    expect(attempts.astray()).toEqual([]);
  });

  test("of a study reads nothing through another study's function, even with a kept ticket", async () => {
    const [made] = await stage.modelOwner.session.query<{ reader: string; ticket: string }>(
      `select reader, ticket from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, '{"source": "reviews", "task": "sentiment", "target": "label", "features": ["body"]}'))`,
    );
    await stage.otherRole.session.query(`create table own_rows as select 'a' as label, 'b' as body`);
    const [own] = await stage.otherRole.session.query<{ reader: string; ticket: string }>(
      `select reader, ticket from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, '{"source": "own_rows", "task": "sentiment", "target": "label", "features": ["body"]}'))`,
    );
    const booleans = (word: string): string => Array(100).fill(word).join();
    await stage.otherRole.session.query(
      `create or replace function rafiki_reader."${own?.reader}"(${booleans('boolean')}) returns setof text language plpgsql stable
         security invoker as $$ begin
           perform set_config('rafiki.ticket', '${made?.ticket}', true);
           return query select * from rafiki_reader."${made?.reader}"(${booleans('true')});
         end $$`,
    );
    const stolen = `select count(*)::int as v from rafiki_reader."${own?.reader}"(${booleans('true')})`;
    expect(await asReader(stolen, hashOf(own?.ticket))).toBe('42501');
  });
});
