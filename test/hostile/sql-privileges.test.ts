import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Attempts } from '../support/attempts.ts';
import {
  createStage,
  type HostileStage,
  type LoginRole,
  outcome,
  outcomeOfAll,
  privileges,
  tried,
} from '../support/hostile-stage.ts';
import { createReviews } from '../support/studies.ts';

/** Each role against every table, view and sequence of rafiki, with every privilege and every kind of statement that could use it. */
const attempts = new Attempts('privileges');
let stage: HostileStage;
let db: HostileStage['database']['db'];
let allRoles: LoginRole[];
let acls: string;
let relations: { name: string; bare: string; kind: string; columns: string[]; seen: string; readable: boolean }[];

beforeAll(async () => {
  stage = await createStage();
  db = stage.database.db;
  await createReviews(db, 20);
  await db.query('grant select on reviews to public');
  await stage.addModel('hers', stage.modelOwner, stage.grantee);
  await stage.modelOwner.session.query(`select rafiki_train('sentiment', 'reviews', model => 'in training')`);
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed) select id, 1, 'fasttext', '{}', 1 from rafiki.study`,
  );
  await db.query(
    `insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, seconds) select id, 1, 1, 1, 1, 1, 1 from rafiki.trial`,
  );
  const odd = await stage.join('Ödd "name" \\ 🙂');
  allRoles = [stage.modelOwner, stage.grantee, stage.otherRole, stage.dbo, odd];
  acls = await privileges(db);
  relations = await db.query(`
    select c.oid::regclass::text as name, c.relname as bare, c.relkind::text as kind,
      array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
      (select coalesce(string_agg('t.' || quote_ident(a.attname), ', ' order by a.attnum), '') from pg_attribute a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and has_column_privilege('public', c.oid, a.attnum, 'select')) as seen,
      has_table_privilege('public', c.oid, 'select') as readable
    from pg_class c where c.relnamespace = 'rafiki'::regnamespace and c.relkind in ('r', 'v', 'S') order by 1`);
  for (const { sql, session } of allRoles) {
    await session.query(`set search_path = ${sql}, public`);
    await session.query(`create function noop() returns trigger language plpgsql as $$ begin return null; end $$`);
    await session.query(
      `create function nothing(anyelement) returns boolean language sql immutable as $$ select true $$`,
    );
    await session.query('create table own (id bigint primary key, body text)');
  }
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

const DENIED = ['42501'];

/** Statements on a relation that need a right which only our roles have. */
function deeds({ name, bare, kind, columns }: (typeof relations)[number]): [string, string[]][] {
  const [first = ''] = columns;
  const column = `"${first}"`;
  const wrongKind = ['42501', '42809'];
  if (kind === 'S') {
    return [
      `select nextval('${name}')`,
      `select setval('${name}', 1)`,
      `alter sequence ${name} restart`,
      `drop sequence ${name}`,
      `select last_value from ${name}`,
      `alter sequence ${name} owned by none`,
    ].map((sql) => [sql, DENIED]);
  }
  const both: [string, string[]][] = [
    [`insert into ${name} default values`, kind === 'v' ? ['42501', '55000'] : DENIED],
    [`update ${name} set ${column} = null`, [...DENIED, '428C9', '55000', '0A000']],
    [`delete from ${name}`, kind === 'v' ? ['42501', '55000'] : DENIED],
    [`merge into ${name} t using (select 1) s on true when matched then delete`, ['42501', '55000', '42809', '0A000']],
    [`truncate ${name}`, wrongKind],
    [`alter table ${name} owner to current_user`, DENIED],
    [`alter table ${name} rename to other`, DENIED],
    [`alter table ${name} set schema public`, DENIED],
    [`alter table ${name} add more int`, wrongKind],
    [`alter table ${name} alter ${column} set default null`, DENIED],
    [`drop ${kind === 'v' ? 'view' : 'table'} ${name}`, DENIED],
    [`comment on ${kind === 'v' ? 'view' : 'table'} ${name} is 'mine'`, DENIED],
    [`comment on column ${name}.${column} is 'mine'`, DENIED],
    [`grant select on ${name} to public`, ['42501', 'ok']],
    [`grant all on ${name} to current_user`, ['42501', 'ok']],
    [`create rule r as on insert to ${name} do also select 1`, DENIED],
    [
      `create trigger t ${kind === 'v' ? 'instead of insert' : 'after insert'} on ${name} for each row execute function noop()`,
      DENIED,
    ],
    [`create policy p on ${name} using (true)`, wrongKind],
    [`create index on ${name} ((nothing(1)))`, wrongKind],
    [
      `create statistics s on ${columns
        .slice(0, 2)
        .map((each) => `"${each}"`)
        .join(', ')} from ${name}`,
      ['42501', '42809', '0A000', '42P17'],
    ],
    [`select from ${name} for update`, ['42501']],
    [`select from ${name} for no key update`, ['42501']],
    [`select from ${name} for share`, ['42501']],
    [`select from ${name} for key share`, ['42501']],
    [`copy ${name} from program 'true'`, ['42501']],
    [`copy ${name} to '/tmp/stolen'`, ['42501']],
    [`copy ${name} to program 'cat'`, ['42501']],
    [`security label on table ${name} is 'mine'`, ['42501', '22023']],
    [`reassign owned by rafiki_owner to current_user`, DENIED],
  ];
  if (kind === 'v')
    return [
      ...both,
      [`create or replace view ${name} as select 1`, ['42501']],
      [`alter view ${name} reset (security_invoker)`, DENIED],
    ];
  return [
    ...both,
    [`alter table ${name} disable row level security`, DENIED],
    [`alter table ${name} no force row level security`, DENIED],
    [`alter table ${name} disable trigger all`, DENIED],
    [`alter table ${name} replica identity full`, DENIED],
    [`alter table ${name} inherit own`, DENIED],
    [`alter table own inherit ${name}`, ['42501']],
    [`create table child () inherits (${name})`, ['42501']],
    [`create table referring (x bigint references ${name})`, ['42501']],
    [`create constraint trigger t after insert on ${name} deferrable for each row execute function noop()`, DENIED],
    [`create publication stolen for table ${name}`, DENIED],
    [`cluster ${name}`, ['42501', '42704']],
    [`reindex table ${name}`, DENIED],
    [`create table copied (like ${name} including all)`, ['ok', '42501']], // the columns are no secret, and it has no rows
    [`drop policy service on ${name}`, ['42501', '42704']],
    [`alter table ${name} drop constraint ${bare}_pkey`, DENIED],
    [`create type stolen under ${name}`, ['42601']],
  ];
}

test('no other role can change, lock or own a relation of rafiki', async () => {
  for (const person of allRoles)
    for (const relation of relations)
      for (const [deed, wanted] of deeds(relation))
        attempts.note(`${person.name}: ${deed}`, await outcome(person.session, deed), wanted);
  expect(attempts.astray()).toEqual([]);
});

test('a private relation cannot be read by other roles', async () => {
  for (const person of allRoles)
    for (const { name, readable, seen, kind } of relations.filter((each) => each.kind !== 'S')) {
      const wanted = readable ? ['ok'] : DENIED;
      attempts.note(
        `${person.name}: nothing of ${name}`,
        await outcome(person.session, `select from ${name}`),
        seen === '' ? DENIED : ['ok'],
      );
      attempts.note(
        `${person.name}: select from ${name}`,
        await outcome(person.session, `select * from ${name}`),
        wanted,
      );
      attempts.note(
        `${person.name}: table ${name}`,
        await outcome(person.session, `select count(t) from ${name} t`),
        wanted,
      );
      if (kind === 'r')
        attempts.note(
          `${person.name}: only ${name}`,
          await outcome(person.session, `select tableoid, ctid from only ${name}`),
          wanted,
        );
      attempts.note(
        `${person.name}: view of ${name}`,
        await outcomeOfAll(person.session, [`create view mine as select * from ${name}`, 'select * from mine']),
        wanted,
      );
      attempts.note(
        `${person.name}: materialized view of ${name}`,
        await outcomeOfAll(person.session, [`create materialized view mine as select * from ${name}`]),
        wanted,
      );
    }
  expect(attempts.astray()).toEqual([]);
});

const modes = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
];

test('no role can take a lock on a relation of rafiki that blocks our processes, not even through a view', async () => {
  for (const person of allRoles)
    for (const { name, kind, readable } of relations.filter((each) => each.kind !== 'S'))
      for (const mode of modes) {
        const wanted = mode === 'access share' && readable ? ['ok', ...(kind === 'v' ? DENIED : [])] : DENIED; // a view's tables, too
        attempts.note(
          `${person.name}: lock ${name} ${mode}`,
          await outcome(person.session, `lock table ${name} in ${mode} mode nowait`),
          wanted,
        );
        if (!['row exclusive', 'access exclusive'].includes(mode)) continue;
        for (const invoker of [true, false]) {
          const view = `create view mine with (security_invoker = ${invoker}) as select * from ${name}`;
          const found = await outcomeOfAll(person.session, [view, `lock table mine in ${mode} mode nowait`]);
          attempts.note(`${person.name}: lock ${name} ${mode} by a view`, found, ['42501']);
        }
      }
  expect(attempts.astray()).toEqual([]);
});

describe('rows', () => {
  const own = [
    'study',
    'trial',
    'report',
    'model',
    'model_version',
    'deployment',
    'model_access',
    'model_ownership',
    'study_ownership',
    'version_classes',
    'studies',
    'trials',
    'reports',
    'models',
    'deployments',
  ];

  test('of other roles are hidden, with any function in the query, and any owner of a view', async () => {
    for (const person of allRoles.filter((each) => each !== stage.modelOwner)) {
      await person.session.query(`create or replace function leak(anything text) returns boolean language plpgsql immutable cost 0.0000001
        as $$ begin raise exception using errcode = 'ZZZZZ', message = anything; end $$`);
      for (const relation of own) {
        const shared =
          person === stage.grantee &&
          /^(model|deployment|model_version|version_classes|models|deployments|model_access)$/.test(relation);
        if (shared) continue;
        const { seen = '' } = relations.find(({ bare }) => bare === relation) ?? {};
        const leak = `leak(row(${seen})::text)`;
        for (const query of [
          `select 1 from rafiki.${relation} t where ${leak}`,
          `select 1 from rafiki.${relation} t order by ${leak}`,
          `select ${leak} from rafiki.${relation} t`,
          `select 1 from rafiki.${relation} t join own on ${leak}`,
        ])
          attempts.note(`${person.name}: ${query}`, await outcome(person.session, query), ['ok']);
        attempts.note(
          `${person.name}: rows of ${relation}`,
          `${(await tried(person.session, `select from rafiki.${relation}`)).length}`,
          ['0'],
        );
        if (/_(access|ownership|classes)$/.test(relation)) continue; // row security has no part in it
        attempts.note(
          `${person.name}: rows of ${relation} with row_security off`,
          await outcomeOfAll(person.session, [
            'set local row_security = off',
            `select ${seen} from rafiki.${relation} t`,
          ]),
          ['42501'],
        );
      }
    }
    expect(attempts.astray()).toEqual([]);
  });

  test("of a model are visible to a role with a grant, but not other grants, the owner's keys, weights and counters", async () => {
    const { grantee, otherRole, modelOwner } = stage;
    await modelOwner.session.query(`select rafiki_grant('hers', $1::regrole)`, [stage.dbo.sql]);
    const count = async (relation: string): Promise<string> => {
      const rows = await tried(grantee.session, `select from rafiki.${relation}`);
      return Array.isArray(rows) ? `${rows.length}` : rows;
    };
    for (const [relation, rows] of [
      ['model', '1'],
      ['models', '1'],
      ['model_version', '1'],
      ['deployment', '1'],
      ['model_grant', '1'],
      ['model_access', '1'],
      ['model_ownership', '0'],
      ['version_classes', '1'],
      ['params_tensor', '42501'],
      ['blob', '42501'],
      ['predict_stat', '42501'],
      ['stat_predict', '0'],
      ['study', '0'],
    ] as const)
      attempts.note(`grantee: ${relation}`, await count(relation), [rows]);
    await modelOwner.session.query(`select rafiki_revoke('hers', $1::regrole)`, [stage.dbo.sql]);
    attempts.note('otherRole: model', `${(await tried(otherRole.session, 'select from rafiki.model')).length}`, ['0']);
    expect(attempts.astray()).toEqual([]);
  });

  test('are not revealed by statistics or plans', async () => {
    await db.query('analyze');
    for (const person of allRoles) {
      const query = `select from pg_stats where schemaname = 'rafiki' and tablename in ('model', 'study', 'trial', 'bridge', 'params', 'model_key', 'study_key')`;
      attempts.note(`${person.name}: pg_stats`, `${(await tried(person.session, query)).length}`, ['0']);
      attempts.note(`${person.name}: pg_statistic`, await outcome(person.session, 'select from pg_statistic'), DENIED);
      attempts.note(`${person.name}: pg_authid`, await outcome(person.session, 'select from pg_authid'), DENIED);
      const mapping = `select from pg_user_mappings where umoptions is not null and srvname = 'rafiki_bridge'`;
      attempts.note(`${person.name}: user mapping`, `${(await tried(person.session, mapping)).length}`, ['0']);
    }
    expect(attempts.astray()).toEqual([]);
  });

  /** Everything that a login can select from, with what it could compare there. */
  const columns = `
    select c.oid::regclass::text as relation, quote_ident(a.attname) as name, format_type(a.atttypid, null) as type
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'rafiki'::regnamespace and has_column_privilege(c.oid, a.attnum, 'select')`;

  test('have no secret in a column that can be compared before the policy is applied', async () => {
    const { otherRole } = stage;
    await db.query('analyze');
    const secrets = await db.query<{ value: string }>(
      `select key::text as value from rafiki.model_key union select owner_key::text from rafiki.model_key
       union select key::text from rafiki.study_key union select secret from rafiki.bridge`,
    );
    for (const { relation, name, type } of await otherRole.session.query<Record<string, string>>(columns)) {
      if (!['uuid', 'text', 'name', 'bytea'].includes(type ?? '')) continue;
      const found = await db.query(`select from ${relation} where ${name}::text = any ($1)`, [
        secrets.map(({ value }) => value),
      ]);
      const isView = /_(access|ownership)$/.test(relation ?? '');
      attempts.note(`secrets in ${relation}.${name}`, `${isView ? 0 : found.length}`, ['0']);
    }
    expect(attempts.astray()).toEqual([]);
  });

  test('of keys are revealed neither by the filtered nor by the estimated rows of a plan', async () => {
    const { otherRole } = stage;
    const ways = ['', 'set local enable_seqscan = off; set local enable_bitmapscan = off'];
    const comparisons = [
      `key <= to_jsonb('$'::text)`,
      `key #>> '{}' <= '$'`,
      `key::text <= '"$"'`,
      `key['x'] <= '"$"'`,
    ];
    for (const view of ['model_access', 'model_ownership', 'study_ownership'])
      for (const options of ['analyze, buffers off, timing off, summary off', 'costs'])
        for (const comparison of comparisons)
          for (const way of ways) {
            const plans = new Set<string>();
            for (const bound of ['00000000', '88888888', 'ffffffff']) {
              const sql = `explain (${options}, format json) select 1 from rafiki.${view} where ${comparison.replace('$', bound)}`;
              const plan = await otherRole.session.transaction(async (tx) => {
                if (way !== '') await tx.query(way);
                await tx.query(sql); // what an index finds dead it marks
                return tx.query(sql);
              });
              plans.add(JSON.stringify(plan).replaceAll(bound, '…'));
            }
            attempts.note(`${view}: ${options} ${comparison} ${way}`, `${plans.size}`, ['1']);
          }
    expect(attempts.astray()).toEqual([]);
  });
});

test('the attacks above granted no rights', async () => {
  expect(await privileges(db)).toBe(acls);
});
