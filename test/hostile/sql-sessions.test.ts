import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Connection } from '../../src/db/database.ts';
import { lockModel } from '../../src/db/statements/models.ts';
import { dropReaders } from '../../src/db/statements/readings.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Attempts } from '../support/attempts.ts';
import { code, createStage, type HostileStage, untilReady } from '../support/hostile-stage.ts';
import { postgresVersion } from '../support/postgres.ts';
import { createReviews, eventually } from '../support/studies.ts';

/** Settings, open transactions and shadowing objects of a session: answers stay right, rights do not change, other sessions continue. */
const attempts = new Attempts('sessions');
let stage: HostileStage;
let db: HostileStage['database']['db'];

beforeAll(async () => {
  stage = await createStage();
  db = stage.database.db;
  await createReviews(db, 40);
  await db.query('grant select on reviews to public');
  await stage.serve();
  await stage.addModel('hers', stage.modelOwner, stage.grantee);
  await untilReady(stage, 'hers');
  await stage.modelOwner.session.query(`create function ${stage.modelOwner.sql}.mood(body text) returns text language sql security definer
    set search_path = pg_catalog, public, pg_temp as $$ select rafiki_predict('hers', body) $$`);
  await stage.modelOwner.session.query(`grant usage on schema ${stage.modelOwner.sql} to public`);
  await db.query(`create table said as select 'good film ' || i as body from generate_series(1, 400) i`);
  await db.query('grant select on said to public');
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

/** A connection of a grantee's own: a pool gives up a connection at each error. */
const open = (person = stage.grantee): Promise<Connection> => stage.again(person).connect(() => undefined);

test.each([
  'standard_conforming_strings = off',
  'backslash_quote = on',
  'escape_string_warning = off',
  'bytea_output = escape',
  `datestyle = 'SQL, DMY'`,
  'intervalstyle = sql_standard',
  'intervalstyle = iso_8601',
  `timezone = 'Asia/Kathmandu'`,
  'client_encoding = LATIN1',
  'transform_null_equals = on',
  'array_nulls = off',
  'quote_all_identifiers = on',
  'extra_float_digits = -15',
  'xmloption = document',
  `plpgsql.extra_errors = 'all'`,
  `plpgsql.extra_warnings = 'all'`,
  'plpgsql.check_asserts = off',
  'plpgsql.print_strict_params = on',
  'default_transaction_isolation = serializable',
  `default_transaction_isolation = 'repeatable read'`,
  'default_transaction_read_only = on',
  'default_transaction_deferrable = on',
  `work_mem = '64kB'`,
  'jit_above_cost = 0',
  'jit = on',
  'enable_seqscan = off',
  'enable_indexscan = off',
  'enable_tidscan = off',
  'enable_material = off',
  'enable_hashagg = off',
  'from_collapse_limit = 1',
  'join_collapse_limit = 1',
  'geqo_threshold = 2',
  'plan_cache_mode = force_generic_plan',
  'plan_cache_mode = force_custom_plan',
  'constraint_exclusion = on',
  'parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0',
  'min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_leader_participation = off',
  'row_security = on',
  `search_path = ''`,
  `search_path = pg_temp, public`,
  `search_path = public, pg_catalog`,
  `search_path = pg_temp, public, pg_catalog`,
  'client_min_messages = debug5',
  'check_function_bodies = off',
  'cursor_tuple_fraction = 0',
  `application_name = 'rafiki coordinator'`,
  `lock_timeout = '1ms'`,
  'synchronous_commit = off',
  'default_toast_compression = pglz',
  'gin_fuzzy_search_limit = 1',
  `rafiki.noticed = 'x'`,
  `rafiki.ticket = 'x'`,
  `rafiki.home = 'evil'`,
  'vacuum_cost_delay = 1',
  'session_authorization = default',
  'role = none',
])('with %s a session is answered as any', async (setting) => {
  const session = await open();
  await session.query(`set ${setting}`);
  const parallel = setting.includes('parallel') && postgresVersion() < 17;
  const wanted: [string, string][] = [
    [`select public.rafiki_predict('hers', 'good film 2') as v`, '"pos"'],
    [`select public.rafiki_predict('hers', array['good film 2', null, 'bad film 3']) as v`, '["pos",null,"neg"]'],
    [`select public.rafiki_predict_detail('hers', 'good film 2') ->> 'label' as v`, '"pos"'],
    ...(parallel
      ? []
      : ([[`select pg_catalog.count(public.rafiki_predict('hers', body))::int as v from public.said`, '400']] as [
          string,
          string,
        ][])),
    [
      `select pg_catalog.count(*)::int as v from public.rafiki_predict_query('hers', e'select body from public.said limit 20 ;\\n')`,
      '20',
    ],
    [`select pg_catalog.count(*)::int as v from public.rafiki_evaluate('hers', 'public.reviews')`, '6'],
    [`select pg_catalog.count(*)::int as v from rafiki.models`, '1'],
    [`select public.rafiki_drop_model('hers') as v`, '42501'],
    [`select rafiki._exchange('S', false) as v`, '42501'],
    [`select public.rafiki_train('sentiment', 'public.reviews', max_trials => 0) as v`, '22023'],
  ];
  for (const [sql, result] of wanted) attempts.note(`${setting}: ${sql}`, await code(session, sql), [result]);
  await session.close();
  expect(attempts.astray()).toEqual([]);
});

/** The time limit of a session, which on a busy machine may interrupt the statement that lifts it, too. */
async function lift(session: Connection): Promise<void> {
  while ((await code(session, 'set statement_timeout = 0')) === '57014');
}

test('a session can predict after a statement is interrupted at any point', async () => {
  const session = await open();
  for (let ms = 1; ms < 40; ms++) {
    await session.query(`set statement_timeout = ${ms}`);
    attempts.note(
      `timeout ${ms}`,
      await code(session, `select count(rafiki_predict('hers', body || ${ms}))::int as v from said`),
      ['400', '57014'],
    );
    await lift(session);
    attempts.note(`after ${ms}`, await code(session, `select rafiki_predict('hers', 'good film ${ms}') as v`), [
      '"pos"',
    ]);
  }
  await session.close();
  expect(attempts.astray()).toEqual([]);
});

test('row_security off, another role, cursors, savepoints, prepared statements and transactions give no further rights', async () => {
  const session = await open(stage.otherRole);
  const definer = `${stage.modelOwner.sql}.mood('good film 2')`;
  const denied: [string, string[], string][] = [
    ['row_security off', ['set row_security = off'], '42501'],
    [
      'a cursor that was opened by a definer',
      ['begin', `declare c cursor with hold for select rafiki_predict('hers', 'x')`, 'fetch c'],
      '25P02',
    ],
    ['a savepoint', ['begin', 'savepoint s', `select ${definer}`, 'rollback to s'], '42704'],
    ['a prepared statement', [`prepare p as select rafiki_predict('hers', 'x')`, `select ${definer}`], '42704'],
    ['DO', [`do $$ begin perform ${definer}; end $$`], '42704'],
    [
      'a temporary table in front of ours',
      [
        'create temp table model (name text, key uuid, id bigint, owner regrole)',
        `insert into model values ('hers', gen_random_uuid())`,
      ],
      '42704',
    ],
    ['a temporary view in front of ours', ['create temp view model_grant as select 1 as model_id'], '42704'],
    ['a schema with the name of the role', [`set search_path = ${stage.otherRole.sql}, pg_temp`], '42704'],
    [
      'a function that shadows ours',
      [
        `create function ${stage.otherRole.sql}._model_key(text) returns uuid language sql as 'select gen_random_uuid()'`,
      ],
      '42704',
    ],
    ['a forged setting', [`set rafiki.ticket = 'x'`, `set rafiki.noticed = 'unread'`], '42704'],
    ['a prepared transaction', ['begin', `select ${definer}`, `prepare transaction 'x'`], '42704'],
  ];
  for (const [what, before, wanted] of denied) {
    for (const statement of before) await session.query(statement).catch(() => undefined);
    const found = await code(session, `select public.rafiki_predict('hers', 'good film 2') as v`);
    attempts.note(what, found, [wanted, ...(wanted === '42501' ? ['42704'] : [])]);
    await session.query('rollback');
    await session.query('discard all').catch(() => undefined);
  }
  await session.close();
  expect(attempts.astray()).toEqual([]);
});

test("a materialized view and an index that a superuser refreshes predict with their owner's rights", async () => {
  const { otherRole, grantee } = stage;
  await grantee.session.query(
    `create materialized view ${grantee.sql}.moods as select body, rafiki_predict('hers', body) as mood from said limit 5`,
  );
  await otherRole.session.query(`create view ${otherRole.sql}.wish as select current_user as who`);
  await otherRole.session.query(
    `create materialized view ${otherRole.sql}.stolen as select rafiki_predict('hers', 'x') as v with no data`,
  );
  attempts.note("a grantee's", await code(db, `refresh materialized view ${grantee.sql}.moods`), ['ok']);
  attempts.note("another role's", await code(db, `refresh materialized view ${otherRole.sql}.stolen`), ['42704']);
  expect(attempts.astray()).toEqual([]);
});

test('a parallel query on a table of another role is answered', async () => {
  if (postgresVersion() < 17) return; // its leader cannot tell whether it is parallel
  await db.query(`create table theirs as select 'good film ' || i % 50 as body from generate_series(1, 30000) i`);
  await db.query(`alter table theirs owner to ${stage.otherRole.sql}`);
  await db.query('grant select on theirs to public');
  await db.query('analyze theirs');
  const session = await open();
  await session.query('set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0');
  attempts.note(
    'parallel',
    await code(session, `select count(rafiki_predict('hers', body))::int as v from theirs where body like '%11'`),
    ['600'],
  );
  await session.close();
  expect(attempts.astray()).toEqual([]);
});

describe('open transactions of other roles', () => {
  const readers = `select count(*)::int as n from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`;

  test("do not prevent other roles' readers from being dropped, nor block the coordinator for long", async () => {
    const { otherRole, grantee } = stage;
    const make = (
      n: number,
    ): string => `select count(r.reader) from generate_series(1, ${n}) i, lateral rafiki._make_reader(jsonb_populate_record(null::rafiki.study,
      jsonb_build_object('source', 'reviews', 'task', 'sentiment', 'target', 'label', 'features', '["body"]'::jsonb, 'id', i))) r`;
    await otherRole.session.query(make(300));
    const holder = await open(otherRole);
    await holder.query('begin');
    await holder
      .query(`do $$ declare f text; begin
      for f in select format('rafiki_reader.%I(%s)', proname, oidvectortypes(proargtypes)) from pg_proc where pronamespace = 'rafiki_reader'::regnamespace and proowner = current_user::regrole
      loop execute format('comment on function %s is ''mine''', f); end loop; end $$`)
      .catch(() => undefined);
    // their creator may not name them, but locks them as well by replacing them
    await holder
      .query(`do $$ declare f text; begin
      for f in select format('%I(%s)', proname, oidvectortypes(proargtypes)) from pg_proc where pronamespace = 'rafiki_reader'::regnamespace and proowner = current_user::regrole
      loop execute format('create or replace function rafiki_reader.%s returns setof text language sql stable security definer as ''select null::text''', f); end loop; end $$`)
      .catch(() => undefined);
    await holder.query('savepoint s').catch(() => undefined);
    await grantee.session.query(make(1));
    const theirs = `select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace and proowner = '${grantee.sql}'::regrole`;
    let looks = 0;
    while ((await db.query(theirs)).length > 0 && looks++ < 400) await dropReaders(stage.database.service);
    expect(looks).toBeLessThan(400);
    await holder.query('rollback');
    await holder.close();
    await dropReaders(stage.database.service);
    expect(await db.query(readers)).toEqual([{ n: 0 }]);
  });

  test('with a model that is being dropped do not block the coordinator', async () => {
    await stage.addModel('going', stage.modelOwner);
    const holder = await open(stage.modelOwner);
    await holder.query('begin');
    await holder.query(`select rafiki_drop_model('going')`);
    const [owner] = await db.query<{ oid: number }>('select oid::int8 as oid from pg_roles where rolname = $1', [
      stage.modelOwner.name,
    ]);
    const held = lockModel(stage.database.service, { name: 'going', owner: owner!.oid, task: 'sentiment' });
    await expect(held).rejects.toMatchObject({ name: 'RowLocked' }); // immediately, without waiting for the lock
    await holder.query('rollback');
    await holder.close();
  });

  test.each([
    ['cancelled a study', (study: number) => `select rafiki_cancel(${study})`],
    ['deployed', () => `select rafiki_deploy('hers', 1)`],
    ['undeployed', () => `select rafiki_undeploy('hers')`],
    ['granted', () => `select rafiki_grant('hers', 'pg_monitor')`],
    ['revoked', (_: number, grantee: string) => `select rafiki_revoke('hers', '${grantee}')`],
    ['dropped', () => `select rafiki_drop_model('hers')`],
    ['trained', () => `select rafiki_train('sentiment', 'reviews', model => 'uncommitted')`],
  ])('a transaction that has %s and goes on leaves the others their answers and their studies', async (_what, deed) => {
    const [before] = await db.query<{ key: string }>(`select key from rafiki.model_access where name = 'hers'`);
    const coordinator = createCoordinator({ database: stage.database.service, logger: silentLogger });
    await coordinator.start();
    // it renews all keys as it begins to lead
    await eventually(db, `select from rafiki.model_access where name = 'hers' and key #>> '{}' <> $1`, [before?.key]);
    const { modelOwner, grantee } = stage;
    const [study] = await modelOwner.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'held ' || random()) as id`,
    );
    const holder = await open(modelOwner);
    await holder.query('begin');
    await holder.query(deed(study!.id, grantee.sql.replaceAll("'", "''")));
    attempts.note('asks', await code(grantee.session, `select rafiki_predict('hers', 'good film 4') as v`), ['"pos"']);
    const [other] = await grantee.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'of others ' || random()) as id`,
    );
    await eventually(db, `select from rafiki.study where id = $1 and state = 'running'`, [other?.id]);
    await grantee.session.query('select rafiki_cancel($1)', [other?.id]);
    await eventually(db, `select from rafiki.study where id = $1 and state = 'cancelled'`, [other?.id]);
    await holder.query('rollback');
    await holder.close();
    await modelOwner.session.query('select rafiki_cancel($1)', [study?.id]);
    await eventually(db, `select from rafiki.study where id = $1 and ended_at is not null`, [study?.id]);
    await coordinator.stop();
    expect(attempts.astray()).toEqual([]);
  });
});
