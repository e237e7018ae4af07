import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { DataCache } from '../../src/datasets/data-cache.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createAttackedStage, type HostileStage, type LoginRole, outcome } from '../support/hostile-stage.ts';
import { readDataFile } from '../support/read-data-file.ts';
import { eventually, studyEnd } from '../support/studies.ts';

/** The attacks of a security review from SQL on background processes, numbered as they were found, similar ones together. */
let stage: HostileStage;
let db: HostileStage['database']['db'];
let people: Record<'modelOwner' | 'grantee' | 'otherRole' | 'dbo', LoginRole>;

beforeAll(async () => {
  stage = await createAttackedStage();
  db = stage.database.db;
  people = stage;
});
afterAll(() => stage.stop());
beforeEach(() => db.query('delete from heard'));

describe('with coordinator, worker and server', () => {
  let dir: string;
  let services: Service[];
  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    const { service } = stage.database;
    services = [
      createCoordinator({ database: service, logger: silentLogger }),
      createWorker({ database: service, threads: 1, cores: 1, cacheDir: dir, logger: silentLogger }),
    ];
    await stage.serve();
    await startAll(services);
  });
  afterAll(async () => {
    await stopAll(services);
    rmSync(dir, { recursive: true });
  });

  const train = async (
    person: LoginRole,
    source: string,
    more = `families => '{fasttext}', max_trials => 1`,
  ): Promise<number> =>
    (
      await person.session.query<{ id: number }>(
        `select rafiki_train('sentiment', '${source}', model => $1, ${more}) as id`,
        [`${person.name} ${source} ${Math.random()}`],
      )
    )[0]!.id;

  test('2, 11: operators and functions that the owner of the database creates in public run in none of our sessions', async () => {
    const { dbo, modelOwner } = people;
    await dbo.session.query(plant);
    await dbo.session.query(
      `alter database "${new URL(stage.database.url).pathname.slice(1)}" set search_path = public`,
    );
    const fresh = { ...modelOwner, session: stage.again(modelOwner) };
    const [count] = await db.query<{ n: number }>(
      `select count(*)::int as n from pg_operator where oprnamespace = 'public'::regnamespace`,
    );
    expect(count?.n).toBeGreaterThan(1000);
    const id = await train(fresh, 'public.reviews');
    expect((await studyEnd(db, id)).state).toBe('completed');
    for (const call of [
      'rafiki_curve($1)',
      'rafiki_importance($1)',
      'rafiki_wait($1)',
      'rafiki_cancel($1)',
      'rafiki_finish($1)',
      'rafiki_pause($1)',
      'rafiki_resume($1)',
      `rafiki_extend($1, '1 min')`,
      'rafiki_deploy($1)',
    ])
      await fresh.session.query(`select ${call}`, [id]);
    const model = `(select s.model from rafiki.study s order by s.id desc limit 1)`;
    await eventually(
      fresh.session,
      `select from rafiki.deployments where state operator(pg_catalog.=) 'ready' limit 1`,
    );
    for (const call of [
      `rafiki_evaluate(${model}, 'public.reviews')`,
      `rafiki_confusion(${model}, 'public.reviews')`,
      `rafiki_class_report(${model}, 'public.reviews')`,
      `rafiki_check('sentiment', 'public.reviews')`,
      `rafiki_predict_query(${model}, 'select body, id from public.reviews')`,
      `rafiki_predict_detail(${model}, 'x')`,
      `rafiki_predict(${model}, array['x', null])`,
      `rafiki_predict(${model}, 'x')`,
      `rafiki_knobs('sentiment')`,
      `rafiki_grant(${model}, 'pg_monitor')`,
      `rafiki_revoke(${model}, 'pg_monitor')`,
      `rafiki_export(${model})`,
      `rafiki_undeploy(${model})`,
      `rafiki_drop_model(${model})`,
    ])
      await fresh.session.query(`select * from ${call}`);
    for (const view of [
      'studies',
      'trials',
      'reports',
      'models',
      'deployments',
      'workers',
      'stat_predict',
      'stat_memory',
    ])
      await fresh.session.query(`select * from rafiki.${view}`);
    // not the spies of tests before, which autovacuum runs in the name of their owner
    expect(await db.query(`select distinct place, who, login from heard where place <> 'spy'`)).toEqual([]);
    await dbo.session.query(`alter database "${new URL(stage.database.url).pathname.slice(1)}" reset search_path`);
    await dbo.session.query(`do $$ declare known text; begin
      perform set_config('search_path', 'pg_catalog', true);
      for known in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proowner = current_user::regrole
      loop execute format('drop function %s cascade', known); end loop; end $$`);
  });

  test('11: temporary types of a session do not replace those of functions compiled in it', async () => {
    const { otherRole, modelOwner } = people;
    await stage.addModel('typed', modelOwner);
    await modelOwner.session.query(`create or replace function ${modelOwner.sql}.careful() returns void language plpgsql security definer
      set search_path = pg_catalog, public, pg_temp as $$
      begin perform from public.rafiki_predict_query('typed', 'select ''x''::text as body'); exception when others then null; end $$`);
    await modelOwner.session.query(`grant usage on schema ${modelOwner.sql} to public`);
    await otherRole.session.query(`create or replace function ${otherRole.sql}.shout(anything anyelement) returns boolean language plpgsql as
      $$ begin raise warning 'ran as %', current_user; return true; end $$`);
    await otherRole.session.query(`grant usage on schema ${otherRole.sql} to public`);
    const { client, close, query } = await stage.again(otherRole).connect(() => undefined);
    const told: string[] = [];
    client.on('notice', (notice) => told.push(notice.message ?? ''));
    for (const type of ['text', 'name', 'jsonb', 'uuid', 'timestamptz', 'regclass', 'bytea'])
      await query(`create domain pg_temp.${type} as pg_catalog.${type} check (${otherRole.sql}.shout(value))`);
    for (const call of [
      `* from rafiki_predict_query('typed', 'select 1 as x')`,
      `rafiki._query_columns('select 1 as x')`,
      `rafiki._query_input('select 1', 'text', null)`,
      `* from rafiki._predict_rows('typed', 'text', 'select null::pg_catalog.jsonb as carried, null::pg_catalog.text as input')`,
      `rafiki._predict_one(false, 'typed', null, 'x', 'x'::pg_catalog.text, null)`,
    ])
      await query(`select ${call}`).catch(() => undefined);
    await query('call rafiki_train_wait(null, null)').catch(() => undefined);
    told.length = 0;
    await query(`select ${modelOwner.sql}.careful()`);
    expect(told.filter((notice) => notice.startsWith('ran as'))).toEqual([]);
    await close();
  });

  test('6: a study of 293,000 years is refused, and views and claims work with any row', async () => {
    const { modelOwner } = people;
    // a month is 30 days where intervals are compared, and as long as it is where one is added to a moment
    const aDayOrBeyondAllTime = '4000000 months -119999999 days';
    for (const span of [
      ...['293000 years', '31 days', '178000000 years', '-1 s', '0', '30 days 1 microsecond'],
      ...[aDayOrBeyondAllTime, '-4000000 months 120000001 days'],
    ])
      expect(
        await outcome(modelOwner.session, `select rafiki_train('sentiment', 'reviews', max_time => '${span}')`),
        span,
      ).toBe('22023');
    const insert = `insert into rafiki.study (task, source, model, target, features, max_trials, max_time, validation, seed)
      values ('sentiment', 'reviews', 'm', 'label', '{body}', 1, '293000 years', 0.2, 1)`;
    expect(await outcome(modelOwner.session, insert)).toBe('42501');
    expect(await outcome(db, insert.replace('(task', '(owner, task').replace("('sent", "('postgres', 'sent"))).toBe(
      '23514',
    );
    expect(
      await outcome(
        db,
        insert
          .replace('(task', '(owner, task')
          .replace("('sent", "('postgres', 'sent")
          .replace('293000 years', aDayOrBeyondAllTime),
      ),
    ).toBe('23514');
    const [open] = await modelOwner.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'for a day', max_time => '1 month -29 days') as id`,
    );
    for (const more of [aDayOrBeyondAllTime, '-4000000 months 120000001 days'])
      expect(await outcome(modelOwner.session, `select rafiki_extend(${open?.id}, '${more}')`), more).toBe('22023');
    expect(await db.query('select max_time::text from rafiki.study where id = $1', [open?.id])).toEqual([
      { max_time: '24:00:00' },
    ]);
    await modelOwner.session.query('select rafiki_cancel($1)', [open?.id]);
    expect(await outcome(modelOwner.session, 'select * from rafiki.studies')).toBe('ok');
    expect((await studyEnd(db, await train(modelOwner, 'reviews'))).state).toBe('completed');
  });

  test('8: locks on tables or advisory keys do not block coordinator and worker', async () => {
    const { otherRole, modelOwner } = people;
    const tables = await db.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class where relnamespace = 'rafiki'::regnamespace and relkind in ('r', 'v')`,
    );
    const holder = stage.again(otherRole);
    const id = await holder.transaction(async (tx) => {
      for (const { name } of tables) {
        await tx.query('savepoint s');
        await tx.query(`lock table ${name} in access share mode`).catch(() => tx.query('rollback to s'));
      }
      await tx.query(`select pg_advisory_xact_lock(k), pg_advisory_xact_lock(k, k) from generate_series(-200, 200) k`);
      await tx.query(`select pg_advisory_xact_lock(hashtext(n)), pg_advisory_xact_lock(hashtextextended(n, 0))
                      from unnest(array['rafiki', 'coordinator', 'rafiki.leader', 'leadership', 'lead', 'rafiki_coordinator']) n`);
      await tx.query(
        `select pg_advisory_xact_lock(oid::int8) from pg_class where relnamespace = 'rafiki'::regnamespace`,
      );
      const study = await train(modelOwner, 'reviews');
      expect((await studyEnd(db, study)).state).toBe('completed');
      return study;
    });
    expect(await db.query('select state from rafiki.study where id = $1', [id])).toEqual([{ state: 'completed' }]);
    expect(
      await db.query(`select application_name from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and application_name like 'rafiki%' or locktype = 'advisory' and usename like 'rafiki%'`),
    ).toEqual([]);
  });

  test.each([
    ['sleeps', `select pg_sleep(3600)`],
    [
      'catches what cancels it',
      `begin perform pg_sleep(3600); exception when query_canceled then perform pg_sleep(3600); end`,
    ],
  ])('9: the read of a cancelled study ends in its backend, where a view behind the source %s', async (_way, body) => {
    const { otherRole } = people;
    await otherRole.session.query(`set search_path = ${otherRole.sql}, public`);
    await otherRole.session.query('drop view if exists slow; drop function if exists wait_long()');
    const plpgsql = body.startsWith('begin') ? body : `begin perform ${body.slice(7)}; end`;
    await otherRole.session.query(`create function wait_long() returns boolean language plpgsql as $$
      begin if session_user <> 'rafiki_reader' then return true; end if; ${plpgsql}; return true; end $$`);
    await otherRole.session.query(`create view slow as select * from public.reviews where wait_long()`);
    const id = await train(otherRole, `${otherRole.sql}.slow`);
    const reading = `select pid from pg_stat_activity where usename = 'rafiki_reader' and datname = current_database() and state = 'active'`;
    const { pid } = await eventually<{ pid: number }>(db, reading);
    await otherRole.session.query('select rafiki_cancel($1)', [id]);
    await eventually(db, 'select where not exists (select from pg_stat_activity where pid = $1)', [pid]);
    expect((await studyEnd(db, id)).state).toBe('cancelled');
  });

  test("10: the owner's code in a source runs in a session without rights", async () => {
    const { otherRole, modelOwner } = people;
    await otherRole.session.query(`set search_path = ${otherRole.sql}, public`);
    await otherRole.session.query(`create view who as select label, case when session_user = 'rafiki_reader' then
      concat_ws(' ', session_user, current_user, current_setting('is_superuser'), current_setting('transaction_read_only'),
        (select count(*) from rafiki.model), (select count(*) from rafiki.study where pg_get_userbyid(owner) = '${modelOwner.name}'),
        (select count(*) from pg_stat_activity where query like '%ticket%' and pid <> pg_backend_pid()),
        has_schema_privilege('rafiki_reader', 'usage'), pg_has_role('rafiki_service', 'member')) else body end as body from public.reviews`);
    const id = await train(otherRole, `${otherRole.sql}.who`);
    const cache = new DataCache({
      database: stage.database.service,
      dir: mkdtempSync(path.join(dir, 'who-')),
      logger: silentLogger,
    });
    const file = await cache.file({ id, createdAt: '1', task: 'sentiment' }, new AbortController());
    const [row] = await readDataFile(file, 'sentiment');
    const own = (await otherRole.session.query('select from rafiki.model')).length;
    expect(row?.input).toBe(`rafiki_reader ${otherRole.name} off on ${own} 0 0 f f`);
    await otherRole.session.query('select rafiki_cancel($1)', [id]);
    await studyEnd(db, id);
  });

  test.each([
    ['a knob that there is not', { knobs: '{"nonsense": 1}' }, '42704'],
    ['a knob of the wrong type', { knobs: '{"epochs": "many"}' }, '42804'],
    ['a knob out of its domain', { knobs: '{"epochs": 100000}' }, '22003'],
    ['a list that is none', { knobs: '{"epochs": {"list": 1}}' }, '42804'],
    ['knobs that are an array', { knobs: '[]' }, '22023'],
    ['a family that there is not', { families: '{vgg}' }, '42704'],
    ['an advisor that there is not', { advisor: 'oracle' }, '22023'],
    ['too many trials', { max_trials: '2147483647' }, '22023'],
    ['a score that is no number', { target_score: 'NaN' }, '22023'],
    ['a delta that is no number', { delta: 'NaN' }, '23514'],
    ['a task that there is not', { task: 'divination' }, '42704'],
    ['a ticket of its own', { ticket: 'x' }, '42501'],
    ['the reader of another study', { reader: 'other' }, '42501'],
  ])('18: a study made by hand with %s is refused', async (_what, fields, sqlstate) => {
    const { modelOwner } = people;
    const request = Object.entries({ model: `'by hand'`, ...quoted(fields) });
    const code = await modelOwner.session
      .transaction(async (tx) => {
        await tx.query(`create temp table request on commit drop as select (null::rafiki.study).* limit 0`);
        await tx.query(`insert into request (task, source, target, features, max_trials, max_time, validation, seed, knobs, advisor, on_bad_row,
          alpha_first, alpha_last, delta, terminator, gpu, deploy, collaborative, metric, replace, reader, ticket)
        select 'sentiment', 'reviews', 'label', '{body}', 1, '1 min', 0.2, 1, '{}', 'random', 'error', 1, 1, 0, true, false, true, true, 'accuracy', false, r.reader, r.ticket
        from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, '{"source": "reviews", "task": "sentiment", "target": "label", "features": ["body"]}')) r`);
        for (const [field, value] of request) {
          const other =
            field === 'reader'
              ? `(select reader from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, '{"source": "reviews", "task": "sentiment", "target": "label", "features": ["body"]}')))`
              : value;
          await tx.query(`update request set ${field} = ${other}`);
        }
        return tx.query('select rafiki._enqueue(r::text::rafiki.study) from request r').then(
          () => 'ok',
          (error: { code: string }) => error.code,
        );
      })
      .catch((error: { code?: string }) => error.code);
    expect(code).toBe(sqlstate);
  });
  const quoted = (fields: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, `'${value}'`]));
});

/**
 * Operators for all pairs of types that our functions and statements use and pg_catalog has no exact one for, and functions by the
 * names of pg_catalog's for such types.
 */
const plant = `
do $plant$
declare
  types constant text[] := '{oid,regclass,regrole,regtype,regprocedure,int2,int4,int8,text,name,varchar,jsonb,jsonb[],text[],int8[],name[],uuid,float8,interval,timestamptz,bytea}';
  names constant text[] := '{format,concat,concat_ws,array_append,array_remove,array_to_string,cardinality,unnest,quote_ident,length,octet_length,has_column_privilege,has_table_privilege,pg_has_role,to_jsonb,string_agg,array_agg,count,max,min,sum,round,left,encode,to_regclass,starts_with,regexp_replace,split_part,lower,btrim,format_type,current_setting,jsonb_each,jsonb_array_elements}';
  a text; b text; o text; f text;
begin
  perform set_config('search_path', 'pg_catalog', true); -- or this itself runs what it plants
  foreach a in array types loop
    foreach b in array types loop
      execute format('create function public.spy(%s, %s) returns boolean language plpgsql as
        ''begin insert into public.heard values (''''%s'''', current_user, session_user); return true; end''', a, b, 'operator');
      foreach o in array '{=,<>,<,>,<=,>=,||,+,-,*,/,->,->>,#>>,@>,?,~,!~,~~,%,^}'::text[] loop
        if not exists (select from pg_operator where oprname = o and oprleft = a::regtype and oprright = b::regtype
                       and oprnamespace = 'pg_catalog'::regnamespace) then
          execute format('create operator public.%s (function = public.spy, leftarg = %s, rightarg = %s)', o, a, b);
        end if;
      end loop;
    end loop;
    foreach f in array names loop
      begin
        execute format('create function public.%I(%s) returns text language plpgsql as
          ''begin insert into public.heard values (''''function'''', current_user, session_user); return null; end''', f, a);
        execute format('create function public.%I(text, %s) returns text language plpgsql as
          ''begin insert into public.heard values (''''function'''', current_user, session_user); return null; end''', f, a);
      exception when duplicate_function then null;
      end;
    end loop;
  end loop;
end $plant$`;
