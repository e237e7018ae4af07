import { afterAll, beforeAll, expect, test } from 'vitest';
import { Attempts } from '../support/attempts.ts';
import { code, createStage, type HostileStage, type LoginRole, untilReady } from '../support/hostile-stage.ts';
import { createReviews } from '../support/studies.ts';

/** Each role calls every function of rafiki, with harmful arguments, wrong ones, and nulls; changes are not rolled back. */
const attempts = new Attempts('functions');
let stage: HostileStage;
let db: HostileStage['database']['db'];
let study: number;
let functions: { name: string; kind: string; types: string[]; open: boolean; trigger: boolean }[];

beforeAll(async () => {
  stage = await createStage();
  db = stage.database.db;
  await createReviews(db, 20);
  await db.query(`grant select on reviews to ${stage.modelOwner.sql}`);
  await stage.serve();
  await stage.addModel('hers', stage.modelOwner, stage.grantee);
  await untilReady(stage, 'hers');
  const [made] = await stage.modelOwner.session.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', model => 'next') as id`,
  );
  study = made!.id;
  functions = await db.query(`
    select p.oid::regproc::text as name, p.prokind::text as kind, p.prorettype = 'trigger'::regtype as trigger,
      array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, n) order by n) as types,
      has_function_privilege('public', p.oid, 'execute') as open
    from pg_proc p where p.pronamespace = 'rafiki'::regnamespace or p.proname like 'rafiki\\_%' and p.pronamespace = 'public'::regnamespace
    order by p.oid::regprocedure::text`);
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

/** What is plausible and hostile of a type, as SQL. */
const candidates = (): Record<string, string[]> => ({
  text: [
    `'hers'`,
    `'next'`,
    `'sentiment'`,
    `'rafiki.study'`,
    `''`,
    `e'\\x1f\\n"'';--'`,
    `'select 1'`,
    `'{"sqlstate": "08003"}'`,
    `'+;9;1;1;(0,0);(0,0)'`,
  ],
  name: [`'body'`, `'label'`, `'no " such'`],
  regclass: [
    `'public.reviews'`,
    `'rafiki.study'`,
    `'rafiki.bridge'`,
    `'pg_authid'`,
    `0::oid::regclass`,
    `4294967295::oid::regclass`,
  ],
  regrole: [`'${stage.otherRole.sql}'`, `'rafiki_owner'`, `'postgres'`, '4294967295::oid::regrole'],
  oid: [`'rafiki.study'::regclass::oid`, '0', `'pg_authid'::regclass::oid`],
  bigint: [String(study), '0', '-9223372036854775808', '9223372036854775807'],
  integer: ['1', '0', '-2147483648', '2147483647'],
  smallint: ['1', '0', '-32768'],
  uuid: [
    `'00000000-0000-0000-0000-000000000000'`,
    `(select (key #>> '{}')::uuid from rafiki.model_access limit 1)`,
    `(select (key #>> '{}')::uuid from rafiki.model_ownership limit 1)`,
  ],
  boolean: ['true', 'false'],
  interval: [`'1 s'`, `'-1 s'`, `'178000000 years'`, `'0'`],
  jsonb: [`'{}'`, `'[]'`, `'null'`, `'{"epochs": {"min": 9, "max": 1}}'`, `'"x"'`],
  json: [`'{}'`],
  'jsonb[]': [`'{}'`, `array['{}'::jsonb, null]`],
  record: [`row(1, 'x')`, `(select m from rafiki.model m limit 1)`],
  'double precision': ['0.5', `'NaN'`, `'infinity'`, '-1e308'],
  real: ['0.5', `'NaN'`, '-1'],
  numeric: ['0.5', `'NaN'`],
  bytea: [`'\\x00'`, `''`],
  'tid[]': [`'{"(0,1)"}'`, `'{}'`],
  'xid[]': [`'{1}'`, `'{}'`],
  'timestamp with time zone': ['now()', `'infinity'`],
  tid: [`'(0,0)'`, `'(4294967295,65535)'`],
  'text[]': [`'{}'`, `array['hers', null]`, `'{{a},{b}}'`],
  'bytea[]': [`'{}'`, `array['\\x00'::bytea, null]`],
  'name[]': [`'{body}'`, `'{}'`],
  'rafiki.import': ['null', '(select i from rafiki.import i limit 1)'],
  oidvector: [`'16'`, `''`, `'16 16 0'`],
  'bigint[]': [`'{}'`, `array[1, null]`],
  'double precision[]': [`'{}'`, `'{0.5,NaN,infinity,null}'`],
  anyelement: [`'x'::text`, `'\\x00'::bytea`, '1'],
  anynonarray: ['1', `'{}'::jsonb`, `'x'::text`, `row(1, 'x')`, `(select m from rafiki.model m limit 1)`],
  anyarray: [`array['x']`],
  regtype: [`'integer'`, '4294967295::oid::regtype'],
  'rafiki.task': [
    `(select t from rafiki.task t where t.name = 'sentiment')`,
    `(select t from rafiki.task t where t.name = 'tabular_regression')`,
    `row(null, null, null, null)`,
  ],
  'rafiki.study': [
    `(select jsonb_populate_record(null::rafiki.study, to_jsonb(s)) from (
        select task, source, model, target, features, families, knobs, advisor, max_trials, max_time, validation, seed, on_bad_row
        from rafiki.study limit 1) s)`,
    `null`,
  ],
});

/** A call with the nth candidate of each argument. */
function call({ name, kind, types }: (typeof functions)[number], nth: number): string {
  const known = candidates();
  const args = types.map((type, place) => {
    const choices = known[type];
    if (choices === undefined) throw new Error(`no candidates for arguments of type ${type}`);
    const value = nth < 0 ? 'null' : choices[(nth + place * (nth >> 1)) % choices.length];
    return type.startsWith('any')
      ? nth < 0
        ? `null::text${type === 'anyarray' ? '[]' : ''}`
        : value
      : `(${value})::${type}`;
  });
  return `${kind === 'p' ? 'call' : 'select'} ${name}(${args.join(', ')})`;
}

/** Everything of others that could have been changed: studies that the callers themselves made are none of it. */
const state = async (): Promise<string> => {
  const [row] = await db.query<{ all: string }>(`
    select concat_ws(e'\\n',
      (select string_agg(concat(m.name, m.owner, m.id), ',' order by m.id) from rafiki.model m),
      (select string_agg(concat(g.model_id, g.role), ',' order by 1) from rafiki.model_grant g),
      (select string_agg(concat(d.id, d.state), ',' order by d.id) from rafiki.deployment d),
      (select string_agg(concat(s.id, s.state, s.cancel_requested), ',' order by s.id) from rafiki.study s where s.owner = '${stage.modelOwner.sql}'::regrole),
      (select string_agg(concat(b.host, b.port), ',') from rafiki.bridge_address b),
      (select string_agg(array_to_string(srvoptions, ';'), ',') from pg_foreign_server),
      (select string_agg(concat(t.tgname, t.tgrelid), ',' order by t.oid) from pg_trigger t where not tgisinternal),
      (select count(*) from pg_proc where proowner = 'rafiki_owner'::regrole), (select count(*) from pg_auth_members)) as all`);
  return row!.all;
};

const CLASSES = [
  'ok',
  '01',
  '02',
  '08',
  '0A',
  '0L',
  '20',
  '21',
  '22',
  '23',
  '25',
  '28',
  '2B',
  '2D',
  '34',
  '38',
  '39',
  '3D',
  '3F',
  '42',
  '44',
  '53',
  '54',
  '55',
  'P0',
];

/** With each candidate; without one is enough where the right to call is missing, whatever the arguments. */
async function callAll(person: LoginRole): Promise<void> {
  // a pool would give up a connection at each error
  const session = await stage.again(person).connect(() => undefined);
  for (const each of functions) {
    // what waits is to be waited for a moment only
    await session.query(`set statement_timeout = '${each.name.includes('wait') ? 1 : 60}s'`);
    for (let nth = -1; nth < (each.open ? 6 : 1); nth++) {
      const sql = call(each, nth);
      const found = await code(session, sql);
      if (!each.open) attempts.note(`${person.name}: ${sql}`, found, ['42501', ...(nth < 0 ? ['ok'] : [])]);
      else
        attempts.note(
          `${person.name}: ${sql} (${found})`,
          found === '57014' && each.name.includes('wait') ? 'ok' : found.slice(0, 2),
          CLASSES,
        );
    }
  }
  await session.close();
}

test('private functions are denied to other roles, and the others do no harm', { timeout: 180_000 }, async () => {
  const people: LoginRole[] = [stage.otherRole, stage.dbo, await stage.join('fn Ödd"'), stage.grantee];
  const before = await state();
  await Promise.all(people.map(callAll));
  expect(await state()).toBe(before);
  expect(attempts.astray()).toEqual([]);
});

test('no other role can alter, drop, replace, own or grant a function of rafiki', async () => {
  const before = await state();
  for (const person of [stage.otherRole, stage.grantee, stage.modelOwner]) {
    const session = await stage.again(person).connect(() => undefined);
    for (const { name, kind, types } of functions) {
      const signature = `${name}(${types.join(', ')})`;
      const routine = kind === 'p' ? 'procedure' : 'function';
      for (const sql of [
        `alter ${routine} ${signature} owner to current_user`,
        `alter ${routine} ${signature} set search_path = public`,
        `alter ${routine} ${signature} reset all`,
        `drop ${routine} ${signature} cascade`,
        `grant execute on ${routine} ${signature} to public`,
        `alter ${routine} ${signature} depends on extension dblink`,
      ]) {
        attempts.note(`${person.name}: ${sql}`, await code(session, sql), [
          '42501',
          ...(sql.startsWith('grant') ? ['ok'] : []),
        ]);
      }
    }
    await session.close();
  }
  expect(attempts.astray()).toEqual([]);
  expect(await state()).toBe(before);
});
