import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RightsWatch } from '../../src/coordinator/rights-watch.ts';
import { DataCache } from '../../src/datasets/data-cache.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import {
  createAttackedStage,
  type HostileStage,
  type LoginRole,
  outcome,
  untilReady,
} from '../support/hostile-stage.ts';
import { readDataFile } from '../support/read-data-file.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

/** The attacks of a security review from SQL, numbered as they were found, similar ones together. */
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

/** The roles that planted code ran as, except its own. */
const heardAs = async (): Promise<string[]> =>
  (await db.query<{ who: string }>('select distinct who::text as who from heard order by 1')).map(({ who }) => who);

/** A function in a person's schema that writes down who runs it, of a volatility that gets it wherever it is wanted. */
async function plantSpy(person: LoginRole, volatility = 'immutable'): Promise<string> {
  const note = `${person.sql}.note`;
  await person.session.query(`create or replace function ${note}() returns boolean language plpgsql volatile as
    $$ begin insert into public.heard values ('spy', current_user, session_user); return true; end $$`);
  await person.session.query(`create or replace function ${person.sql}.spy(anything text) returns boolean language plpgsql
    ${volatility} as $$ begin return ${note}(); exception when others then raise exception 'ran as %', current_user; end $$`);
  await person.session.query(`grant usage on schema ${person.sql} to public`);
  return `${person.sql}.spy`;
}

describe('with a server that requests rows with each answer', () => {
  let bridge: ScriptedBridge;
  let definer: string;
  let wish = '?;64';

  beforeAll(async () => {
    bridge = new ScriptedBridge();
    bridge.answer = ([verb = '', , , , , , text]) =>
      /[NnPp]/.test(verb) ? reply(`<${text}>`, 'h', wish) : reply(/[Aa]/.test(verb) ? '{}' : null);
    await bridge.listen({ announceTo: db });
    await stage.addModel('hers', people.modelOwner, people.grantee);
    definer = await definerOf(people.modelOwner);
  });
  afterAll(() => bridge.stop());
  beforeEach(() => {
    wish = '?;64';
    bridge.requests = [];
  });

  /** Definer functions that let every role predict with their owner's rights. */
  async function definerOf(person: LoginRole, session = person.session): Promise<string> {
    const name = `${person.sql}.mood`;
    await session.query(`create function ${name}(body text) returns text language sql security definer
      set search_path = pg_catalog, public, pg_temp as $$ select rafiki_predict('hers', body) $$`);
    await session.query(`grant usage on schema ${person.sql} to public`);
    await session.query(`grant execute on function ${name}(text) to public`);
    return name;
  }

  const rowsSent = (): string[][] => bridge.requests.filter(([verb]) => verb === 'V' && bridge.requests.length > 0);
  const textsSent = (): string[] => rowsSent().flatMap((fields) => readInputs(fields.at(-1) ?? '[]') as string[]);

  test.each([
    [
      'a row policy',
      (spy: string) => [
        `alter table trap enable row level security, force row level security`,
        `create policy p on trap using (${spy}(body))`,
      ],
    ],
    ['the predicate of a partial index', (spy: string) => [`create index on trap (body) where ${spy}('x')`]],
    ['an index on an expression', (spy: string) => [`create index on trap (${spy}(body))`]],
    [
      'a column that is computed',
      (spy: string) => [`alter table trap add more boolean generated always as (${spy}(body)) stored`],
    ],
    [
      'statistics on an expression',
      (spy: string) => [`create statistics s on ${spy}(body), body from trap`, 'analyze trap'],
    ],
  ] as const)(
    '1a: a definer that predicts does not run %s of a table that its caller has touched',
    async (_way, setUp) => {
      const { otherRole } = people;
      const spy = await plantSpy(otherRole);
      await otherRole.session.query(`set search_path = ${otherRole.sql}, public`);
      await otherRole.session.query('drop table if exists trap cascade');
      await otherRole.session.query(`create table trap as select 'text ' || i as body from generate_series(1, 100) i`);
      await otherRole.session.query('grant select on trap to public');
      for (const statement of setUp(spy)) await otherRole.session.query(statement);
      await db.query('delete from heard');
      await otherRole.session.transaction(async (tx) => {
        await tx.query('select count(body) from trap');
        for (let i = 1; i < 5; i++) await tx.query(`select ${definer}('text ' || $1::text)`, [i]);
      });
      expect((await heardAs()).filter((who) => who !== otherRole.name)).toEqual([]);
      expect(textsSent()).toEqual([]);
    },
  );

  test.each(['table', 'view', 'materialized view', 'partitioned table'])(
    '1b: a forged place, in a %s of a role with a grant, is not read by a definer of a superuser',
    async (kind) => {
      const { grantee } = people;
      const spy = await plantSpy(grantee);
      await grantee.session.query(`set search_path = ${grantee.sql}, public`);
      for (const each of ['table', 'view', 'materialized view'])
        await grantee.session.query(`drop ${each} if exists place_${each.replace(' ', '_')} cascade`);
      const place = `place_${kind.replace(/ |partitioned /, kind.startsWith('mat') ? '_' : '')}`;
      const make: Record<string, string> = {
        table: `create table ${place} as select 'x'::text as body`,
        view: `create view ${place} as select 'x'::text as body, '(0,1)'::tid as ctid where ${spy}('x')`,
        'materialized view': `create materialized view ${place} as select 'x'::text as body`,
        'partitioned table': `create table ${place} (body text) partition by list (body)`,
      };
      await grantee.session.query(make[kind]!);
      if (kind.includes('table'))
        for (const sql of [
          `alter table ${place} enable row level security`,
          `create policy p on ${place} using (${spy}(body))`,
        ])
          await grantee.session.query(sql);
      await grantee.session.query(`grant select on ${place} to public`);
      const [{ oid }] = (await grantee.session.query(`select '${place}'::regclass::oid::int8 as oid`)) as [
        { oid: number },
      ];
      await db.query(`drop function if exists as_superuser(text)`);
      await db.query(`create function as_superuser(body text) returns text language sql security definer
        set search_path = pg_catalog, public, pg_temp as $$ select rafiki_predict('hers', body) $$`);
      await db.query('delete from heard');
      for (const each of [`+;64;${oid};1;(0,0);(0,0)`, `-;64;${oid};1;(9,9);(9,9)`, '?;64']) {
        wish = each;
        await grantee.session.query(`select as_superuser('x')`);
        // the caller may only send a place to the server, never one that this session reads later
        await outcome(
          grantee.session,
          `select rafiki._send_rows(key, false, $1, '["x"]') from rafiki.model where name = 'hers'`,
          [each],
        );
      }
      expect((await heardAs()).filter((who) => who !== grantee.name)).toEqual([]);
    },
  );

  test('1b: no function takes a verb from its caller', async () => {
    const [found] = await db.query<{ calls: string[] }>(
      `select array_agg(oid::regprocedure::text) as calls from pg_proc where proname in ('_call', '_exchange')`,
    );
    expect(found?.calls).toEqual(['rafiki._exchange(text,boolean)']);
    for (const person of Object.values(people).filter((each) => 'sql' in each))
      for (const verb of ['S', 'P\x1fk\x1fr', 'V\x1fk', '']) {
        expect(await outcome(person.session, 'select rafiki._exchange($1, false)', [verb])).toBe('42501');
      }
  });

  test("1c: a foreign key to another role's table does not run its policy with the inserting role's rights", async () => {
    const { otherRole, modelOwner } = people;
    const spy = await plantSpy(otherRole);
    await otherRole.session.query(`set search_path = ${otherRole.sql}, public`);
    for (const sql of [
      'drop table if exists parent cascade',
      `create table parent as select 'text ' || i as body from generate_series(1, 50) i`,
      'alter table parent add primary key (body)',
      'alter table parent enable row level security',
      `create policy p on parent using (${spy}(body))`,
      `grant select, references on parent to ${modelOwner.sql}`,
    ])
      await otherRole.session.query(sql);
    await db.query('delete from heard');
    await modelOwner.session.query(
      `create table ${modelOwner.sql}.child (body text references ${otherRole.sql}.parent)`,
    );
    await db.query('delete from heard');
    await modelOwner.session.transaction(async (tx) => {
      await tx.query(`insert into ${modelOwner.sql}.child select 'text ' || i from generate_series(1, 9) i`);
      for (let i = 1; i < 9; i++) await tx.query(`select rafiki_predict('hers', 'text ' || $1::text)`, [i]);
    });
    expect((await heardAs()).filter((who) => who === modelOwner.name)).toEqual([]);
    expect(textsSent().filter((text) => text !== null).length).toBeGreaterThan(0); // the role's own table is read ahead
  });

  test('14: a role sees only models that it may use', async () => {
    expect(await outcome(people.otherRole.session, `select rafiki._call('S')`)).toBe('42883');
    expect(await people.otherRole.session.query('select name from rafiki.model')).toEqual([]);
    const failure = await failureOf(people.otherRole.session, `select rafiki_predict('her', 'x')`);
    expect(failure).toMatchObject({ code: '42704' });
    expect(JSON.stringify(failure)).not.toContain('hers');
  });

  test('16: a role with a grant does not see earlier requests', async () => {
    await db.query(`insert into rafiki.process (kind, host, pid, version) values ('serving', 'h', 1, '0')`);
    await db.query(`insert into rafiki.predict_stat (process_id, model_id, calls, rows, cached, batches, overdue)
      select p.id, m.id, 1, 1, 1, 1, 0 from rafiki.process p, rafiki.model m where m.name = 'hers'`);
    for (const relation of ['rafiki.stat_predict', 'rafiki.stat_memory']) {
      expect(await people.grantee.session.query(`select * from ${relation}`), relation).toEqual([]);
      expect(await people.modelOwner.session.query(`select * from ${relation}`), relation).toHaveLength(1);
    }
    await db.query('delete from rafiki.process');
  });
});

describe('with a real server', () => {
  let groupKey: string;
  beforeAll(async () => {
    // a session stays with the server that it has
    for (const person of [stage.modelOwner, stage.grantee, stage.otherRole]) person.session = stage.again(person);
    await db.query('delete from rafiki.bridge_address');
    await stage.serve();
    await stage.addModel('kept', people.modelOwner, people.grantee);
    await db.query('create role hostile_group nologin');
    await db.query(`grant hostile_group to ${people.otherRole.sql}`);
    groupKey = await stage.addModel('of_group', { ...people.otherRole, sql: 'hostile_group' });
    for (const model of ['kept', 'of_group']) await untilReady(stage, model);
  });
  afterAll(async () => {
    await db.query(`delete from rafiki.model where name = 'of_group'`);
    await db.query('drop owned by hostile_group');
    await db.query('drop role hostile_group');
  });

  /** What the server says to a key: `k` for an answer, or the SQLSTATE of its refusal. */
  async function answered({ session }: LoginRole, key: string): Promise<string | undefined> {
    await session.query('select rafiki._open_bridge(false)'); // before PostgreSQL 17 the request itself does not connect
    const ask = `select case s when 'e' then v::jsonb ->> 'sqlstate' else 'k' end as s
      from rafiki._ask_label($1, false, e'1s\\x1fanswer', '', 'good film')`;
    return (await session.query<{ s: string }>(ask, [key]))[0]?.s;
  }

  test("15: no answers are prefetched for a definer's statement, so a forged name gets none", async () => {
    const { otherRole, modelOwner } = people;
    const definer = `${modelOwner.sql}.kept_mood`;
    await modelOwner.session.query(`create function ${definer}(body text) returns text language sql security definer
      set search_path = pg_catalog, public, pg_temp as $$ select rafiki_predict('kept', body) $$`);
    await modelOwner.session.query(`grant usage on schema ${modelOwner.sql} to public`);
    /** The number of prefetched answers that another role takes in a caller's name. */
    const taken = async ({ session, sql }: LoginRole, ask: string, caller: string): Promise<number> => {
      await session.query(`create table ${sql}.films as
        select n, concat('good film ', now(), ' ', n) as body from generate_series(1, 1000) n`);
      const next = `case when n > 500 then rafiki._take('kept', regexp_replace(body, '[0-9]+$', (n + 1)::text), $1) end`;
      const [row] = await session.query<{ asked: number; taken: number }>(
        `select count(t.asked)::int as asked, count(t.taken)::int as taken
         from (select ${ask} as asked, ${next} as taken from ${sql}.films offset 0) t`,
        [caller],
      );
      await session.query(`drop table ${sql}.films`);
      expect(row?.asked).toBe(1000);
      return row?.taken ?? -1;
    };
    expect(await taken(modelOwner, `rafiki_predict('kept', body)`, modelOwner.name)).toBeGreaterThan(0);
    for (const caller of [modelOwner.name, otherRole.name, '', 'postgres'])
      expect(await taken(otherRole, `${definer}(body)`, caller), caller).toBe(0);
  });

  test('3: a role that lost its grant gets no answer with the old key', async () => {
    const [{ key }] = (await people.grantee.session.query(
      `select key from rafiki.model_access where name = 'kept'`,
    )) as [{ key: string }];
    expect(await answered(people.grantee, key)).toBe('k');
    await people.modelOwner.session.query(`select rafiki_revoke('kept', $1::regrole)`, [people.grantee.sql]);
    await eventually(
      { query: async <Row>() => ((await answered(people.grantee, key)) === '42704' ? [{} as Row] : []) },
      '',
    );
    expect(await outcome(people.grantee.session, `select rafiki_predict('kept', 'x')`)).toBe('42704');
    expect(await people.modelOwner.session.query(`select rafiki_predict('kept', 'good film') as v`)).toHaveLength(1);
  });

  test('3: a role that left the owner of a model can neither use nor change it with the old keys', async () => {
    const { otherRole } = people;
    const watch = new RightsWatch(silentLogger);
    await watch.check(stage.database.service);
    const keys = `select m.key, o.key as "ownerKey" from rafiki.model_access m join rafiki.model_ownership o using (id) where m.name = 'of_group'`;
    const [kept] = await otherRole.session.query<{ key: string; ownerKey: string }>(keys);
    expect(kept?.key).not.toBe(groupKey); // the first look renews all
    await db.query(`grant select on reviews to hostile_group`);
    await otherRole.session.query('set role hostile_group');
    const [study] = await otherRole.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'group_study') as id`,
    );
    await otherRole.session.query('reset role');
    const [cancels] = await otherRole.session.query<{ key: string }>(
      'select key from rafiki.study_ownership where id = $1',
      [study?.id],
    );
    await db.query(`revoke hostile_group from ${otherRole.sql}`);
    await watch.check(stage.database.service);
    await eventually(
      { query: async <Row>() => ((await answered(otherRole, kept!.key)) === '42704' ? [{} as Row] : []) },
      '',
    );
    for (const call of [
      `_add_grant('${kept?.ownerKey}', '${otherRole.sql}')`,
      `_remove_grant('${kept?.ownerKey}', 'hostile_group')`,
      `_delete_model('${kept?.ownerKey}')`,
      `_delete_version('${kept?.ownerKey}', 1)`,
      `_retire('${kept?.ownerKey}', '{ready}')`,
      `_set_deployment('${kept?.ownerKey}', 1)`,
    ])
      expect(await outcome(otherRole.session, `select rafiki.${call}`), call).toBe('42704');
    await otherRole.session.query(`select rafiki._steer_study('${cancels?.key}', 'cancel', null)`);
    expect(await db.query('select cancel_requested from rafiki.study where id = $1', [study?.id])).toEqual([
      { cancel_requested: false },
    ]);
    await db.query('delete from rafiki.study where id = $1', [study?.id]);
  });

  test('5: an invalid budget is refused immediately', async () => {
    const { grantee, modelOwner } = people;
    await modelOwner.session.query(`select rafiki_grant('kept', $1::regrole)`, [grantee.sql]);
    await grantee.session.query(
      `select set_config('rafiki.latency_budget', repeat('1h', 40) || '!' || repeat('1', 60000), false)`,
    );
    expect(await outcome(grantee.session, `select rafiki_predict('kept', 'x')`)).toBe('22023');
    await grantee.session.query('reset rafiki.latency_budget');
  });

  const names = [
    'Analyst',
    'team@corp.com',
    '10',
    'two words',
    'back\\slash',
    'quote"it',
    "o'brien",
    'ünï 🙂',
    'none',
    'a'.repeat(62),
    '%s$1',
    'select',
  ];
  test.each(names)('17: a role named %s trains, owns, grants and predicts', async (name) => {
    // "public" and "none" cannot be roles; names are the cluster's
    const person = await stage.join(name === 'none' ? 'None' : name);
    const [study] = await person.session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => $1) as id`,
      [`study of ${name}`],
    );
    const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    const cache = new DataCache({ database: stage.database.service, dir, logger: silentLogger });
    const file = await cache.file({ id: study!.id, createdAt: '1', task: 'sentiment' }, new AbortController());
    expect(await readDataFile(file, 'sentiment')).toHaveLength(20);
    rmSync(dir, { recursive: true });
    await db.query('delete from rafiki.study where id = $1', [study!.id]);
    await stage.addModel(`model of ${name}`, person, people.grantee);
    await untilReady(stage, `model of ${name}`);
    const asked = `select rafiki_predict($1, 'good film 2') as v`;
    expect(await person.session.query(asked, [`model of ${name}`])).toEqual([{ v: 'pos' }]);
    expect(await people.grantee.session.query(asked, [`model of ${name}`])).toEqual([{ v: 'pos' }]);
    await person.session.query(`create table said as select 'good film ' || i as body from generate_series(1, 300) i`);
    const scan = `select count(rafiki_predict($1, body))::int as n from said`;
    expect(await person.session.query(scan, [`model of ${name}`])).toEqual([{ n: 300 }]);
    await person.session.query('select rafiki_revoke($1, $2::regrole)', [`model of ${name}`, people.grantee.sql]);
    await person.session.query('select rafiki_drop_model($1)', [`model of ${name}`]);
  });
});
