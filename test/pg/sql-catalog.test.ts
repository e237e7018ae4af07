import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registryRows } from '../../src/cli/install/registries.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { version } from '../../src/runtime/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** The same catalogue must come out of both ways in, on every version: the golden files are shared. */
const built = path.join(extensionDir, 'extension');
const script = readFileSync(path.join(built, `rafiki--${version}.sql`), 'utf8');

let database: TestDatabase;
let asScript: Database;
let scriptName: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  scriptName = `${url.pathname.slice(1)}_script`;
  await database.db.query(`create database ${scriptName}`);
  url.pathname = scriptName;
  asScript = new Database({ url: url.href, application: 'test', asUser: true, logger: silentLogger });
  await asScript.transaction((tx) => tx.query(script));
});
afterAll(async () => {
  await asScript.stop();
  await database.db.query(`drop database ${scriptName} with (force)`);
  await database.drop();
});

/** The properties of each function, and the roles that may call it; left out are the defaults: a pinned path, callable by every role. */
const functions = `
  select concat_ws(' ', p.oid::regprocedure || ':',
           case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
           case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
           case when p.proisstrict then 'strict' end, case when p.prosecdef then 'definer' end,
           case when coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false) then null else 'unpinned' end,
           case when has_function_privilege('public', p.oid, 'execute') then null
                when has_function_privilege('rafiki_service', p.oid, 'execute') then 'service-only' else 'owner-only' end,
           case when p.proowner = 'rafiki_owner'::regrole then null else 'of ' || p.proowner::regrole end) as line
  from pg_proc p where p.proname like 'rafiki\\_%' or p.pronamespace = 'rafiki'::regnamespace
  order by p.oid::regprocedure::text collate "C"`;

/** Privileges of all roles except its owner and rafiki_owner on each relation and schema. */
const privileges = `
  with granted as (
    select c.oid::regclass::text as what, a.grantee, lower(a.privilege_type) as right_
    from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'rafiki'::regnamespace
    union all
    select c.oid::regclass::text, a.grantee, format('%s (%s)', lower(a.privilege_type), string_agg(t.attname, ', ' order by t.attnum))
    from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
    where c.relnamespace = 'rafiki'::regnamespace group by 1, 2, a.privilege_type
    union all
    select 'schema ' || n.nspname, a.grantee, lower(a.privilege_type) from pg_namespace n, aclexplode(n.nspacl) a
    where n.nspname in ('rafiki', 'rafiki_reader', 'rafiki_dblink') and a.grantee <> n.nspowner)
  select format('%s, %s: %s', what, role, string_agg(right_, ', ' order by right_)) as line
  from (select what, case grantee when 0 then 'everybody' else grantee::regrole::text end as role, right_ from granted) g
  where role <> 'rafiki_owner'
  group by what, role order by what collate "C", role`;

/**
 * What any role may compare in rows of others: columns of tables with row-level security, and of views that read with
 * rafiki_owner's rights. Policies and barriers do not hide these from EXPLAIN, so nothing of sources, labels or weights stands here but
 * what a view makes of it by a function that is not leakproof.
 */
const comparable = `
  select format('%s: %s', c.oid::regclass, string_agg(
           format('%s %s', a.attname, format_type(a.atttypid, null)), ', ' order by a.attname collate "C")) as line
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'rafiki'::regnamespace and has_column_privilege('public', c.oid, a.attnum, 'select')
    and (c.relkind = 'r' and c.relrowsecurity
         or c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false))
  group by c.oid order by c.relname collate "C"`;

/** Tables with policies that are not enforced; and tables without policies of which a role other than the service may read something. */
const openTables = `
  select coalesce(array_agg(t.name) filter (where t.has_policy and not t.is_enforced), '{}') as unenforced,
    coalesce(array_agg(t.name order by t.name collate "C") filter (where t.is_read and not t.is_enforced), '{}') as shared
  from (select c.relname::text as name, c.relrowsecurity as is_enforced,
          exists (select from pg_policy p where p.polrelid = c.oid) as has_policy,
          exists (select from (select c.relacl as acl union all select a.attacl from pg_attribute a where a.attrelid = c.oid) g,
                    aclexplode(g.acl) a
                  where a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 'rafiki_service'::regrole)) as is_read
        from pg_class c where c.relnamespace = 'rafiki'::regnamespace and c.relkind in ('r', 'p')) t`;

/** Tables whose rows are everybody's: registries, encoders, limits, the service's processes, and what is installed. */
const SHARED = [
  'advisor',
  'column_kind',
  'encoder',
  'encoder_grant',
  'family',
  'metric',
  'migration',
  'process',
  'quota',
  'task',
  'worker_family',
];

/** Columns, keys and checks of each table, and whether a dump of the extension carries its rows. */
const tables = `
  select line from (
    select c.relname, 0 as part, 0 as place, format('%s%s', c.oid::regclass, case when c.oid = any (e.extconfig) then ', dumped' end) as line
    from pg_class c left join pg_extension e on e.extname = 'rafiki'
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'r'
    union all
    select c.relname, 1, a.attnum, concat_ws(' ', '  ' || a.attname, format_type(a.atttypid, a.atttypmod),
             case when a.attnotnull then 'not null' end, case when a.attidentity <> '' then 'identity' end,
             'default ' || pg_get_expr(d.adbin, d.adrelid))
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'r'
    union all
    select c.relname, 2, row_number() over (partition by c.oid order by k.conname collate "C"), format('  %s: %s', k.conname, pg_get_constraintdef(k.oid))
    from pg_class c join pg_constraint k on k.conrelid = c.oid and k.contype <> 'n'
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'r') t
  order by relname collate "C", part, place`;

/** Foreign keys of tables that a dump of the extension carries: what each of them points at, directly or through others. */
const restored = `
  with recursive dumped as (select unnest(e.extconfig) as oid from pg_extension e where e.extname = 'rafiki'),
  key as (select conrelid, confrelid from pg_constraint where contype = 'f' and conrelid <> confrelid and conrelid in (table dumped)),
  reach as (
    select conrelid, confrelid from key
    union select r.conrelid, k.confrelid from reach r join key k on k.conrelid = r.confrelid)
  select array(select distinct conrelid::regclass::text from reach where conrelid = confrelid) as circular,
    array(select distinct confrelid::regclass::text from key where confrelid not in (table dumped)) as beside`;

/** Words before a bracket that are neither qualified nor part of the language. */
function unqualifiedCalls(source: string): string[] {
  const language =
    'if|row|coalesce|nullif|greatest|least|exists|any|all|in|values|array|and|or|not|filter|over|case|when|then|with|as|from|on';
  const types = 'setof|table|text|t|constant';
  const known = new RegExp(`^(${language}|${types})$`, 'i');
  const bare = source.replace(/--.*$/gm, '').replace(/'(?:[^']|'')*'/g, "''");
  return [...bare.matchAll(/(?<![\w.])([a-z_]\w*)\s*\(/gi)]
    .map(([, word = '']) => word)
    .filter((word) => !known.test(word));
}

const lines = async (db: Database, sql: string): Promise<string> =>
  `${(await db.query<{ line: string }>(sql)).map(({ line }) => line).join('\n')}\n`;

const byKey = (rows: readonly unknown[]): unknown[] =>
  (rows as { name: string; task?: string }[]).toSorted((a, b) =>
    `${a.name} ${a.task}` < `${b.name} ${b.task}` ? -1 : 1,
  );

describe.each([
  ['as the template has it', () => database.db],
  ['as a script', () => asScript],
])('installed %s', (_way, db) => {
  test('functions match the golden file', async () => {
    await expect(await lines(db(), functions)).toMatchFileSnapshot('golden/functions.txt');
  });

  test('tables match the golden file', async () => {
    const found = await lines(db(), tables);
    const [{ isExtension } = { isExtension: false }] = await db().query<{ isExtension: boolean }>(
      `select exists (select from pg_extension where extname = 'rafiki') as "isExtension"`,
    );
    // a dump leaves out nothing of a script
    if (isExtension) await expect(found).toMatchFileSnapshot('golden/tables.txt');
    else expect(found).not.toContain(', dumped');
  });

  test('privileges match the golden file', async () => {
    await expect(await lines(db(), privileges)).toMatchFileSnapshot('golden/privileges.txt');
    const [row] = await db().query<{ reach: boolean }>(
      `select has_schema_privilege('public', 'rafiki_dblink', 'usage') as reach`,
    );
    expect(row?.reach).toBe(false);
  });

  test('columns that any role can compare match the golden file', async () => {
    await expect(await lines(db(), comparable)).toMatchFileSnapshot('golden/comparable.txt');
  });

  test('every table that has a policy enforces it, and the rows of all others are of no role', async () => {
    const [row] = await db().query<{ unenforced: string[]; shared: string[] }>(openTables);
    expect(row).toEqual({ unenforced: [], shared: SHARED });
  });

  test('everything belongs to rafiki_owner, which cannot log in; definers pin their search path', async () => {
    const astray = `
      select c.oid::regclass::text as what from pg_class c
      where c.relnamespace in ('rafiki'::regnamespace, 'rafiki_reader'::regnamespace) and c.relowner <> 'rafiki_owner'::regrole
        and c.relkind in ('r', 'v', 'S')
      union all
      select nspname from pg_namespace where nspname in ('rafiki', 'rafiki_reader') and nspowner <> 'rafiki_owner'::regrole
      union all
      select oid::regprocedure::text from pg_proc
      where prosecdef and (pronamespace = 'rafiki'::regnamespace or proname like 'rafiki\\_%')
        and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)
      union all
      select rolname from pg_roles where rolname ~ '^rafiki_(owner|service|reader)$'
        and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication or rolcanlogin = (rolname = 'rafiki_owner'))
      union all
      select m.member::regrole::text || ' in ' || m.roleid::regrole from pg_auth_members m
      where m.member in ('rafiki_service'::regrole, 'rafiki_reader'::regrole)
      union all
      select p.oid::regprocedure || ' for ' || a.grantee::regrole from pg_proc p, aclexplode(p.proacl) a
      where (p.pronamespace = 'rafiki'::regnamespace or p.proname like 'rafiki\\_%')
        and (a.grantee not in (0, 'rafiki_owner'::regrole, 'rafiki_service'::regrole) or a.is_grantable)
      union all
      select t.oid::regtype || ' for ' || a.grantee::regrole from pg_type t, aclexplode(t.typacl) a
      where t.typnamespace = 'rafiki'::regnamespace and a.grantee not in (0, 'rafiki_owner'::regrole)`;
    expect(await db().query(astray)).toEqual([]);
  });

  test('functions without a pinned search path qualify every function', async () => {
    const unpinned = await db().query<{ name: string; source: string }>(`
      select p.oid::regprocedure::text as name, p.prosrc as source from pg_proc p
      where (p.pronamespace = 'rafiki'::regnamespace or p.proname like 'rafiki\\_%') and p.prosrc <> ''
        and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)`);
    const bare = unpinned.flatMap(({ name, source }) => unqualifiedCalls(source).map((call) => `${name}: ${call}`));
    expect(bare).toEqual([]);
  });

  test('every public object has a comment', async () => {
    const silent = `
      select oid::regprocedure::text as what from pg_proc where proname like 'rafiki\\_%' and obj_description(oid, 'pg_proc') is null
      union all
      select oid::regclass::text from pg_class
      where relnamespace = 'rafiki'::regnamespace and relkind in ('r', 'v') and obj_description(oid, 'pg_class') is null`;
    expect(await db().query(silent)).toEqual([]);
  });

  test('rafiki_train_wait has the parameters and defaults of rafiki_train; what both call has its parameters', async () => {
    const parameters = await db().query<{ name: string; all: string; named: string }>(`
      select p.proname as name, replace(pg_get_function_arguments(p.oid), 'IN ', '') as all,
             replace(pg_get_function_identity_arguments(p.oid), 'IN ', '') as named
      from pg_proc p
      where p.proname in ('rafiki_train', 'rafiki_train_wait')
         or p.proname = '_request' and p.prorettype = 'rafiki.study'::regtype`);
    const {
      rafiki_train: train,
      rafiki_train_wait: wait,
      _request: request,
    } = Object.fromEntries(parameters.map(({ name, ...each }) => [name, each]));
    expect(train?.all).toContain('max_time interval DEFAULT NULL');
    expect(wait?.all).toBe(train?.all);
    expect(request?.named).toBe(train?.named);
  });

  test('a second install fails, and changes nothing', async () => {
    const before = [await lines(db(), functions), await lines(db(), privileges)];
    await expect(db().transaction((tx) => tx.query(script))).rejects.toMatchObject({ code: '42P06' });
    expect([await lines(db(), functions), await lines(db(), privileges)]).toEqual(before);
  });
});

test('tables that a dump carries can be restored in an order: they point at each other, and at what an installation has', async () => {
  const [{ version: server } = { version: 0 }] = await database.db.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  // older servers of these tests have no extension
  const beside = server >= 180000 ? ['rafiki.task'] : [];
  expect(await database.db.query(restored)).toEqual([{ circular: [], beside }]);
});

test('running the idempotent files again changes nothing', async () => {
  const before = [await lines(asScript, functions), await lines(asScript, privileges)];
  const { prologue, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
  await asScript.transaction((tx) => tx.query(prologue + idempotent));
  expect([await lines(asScript, functions), await lines(asScript, privileges)]).toEqual(before);
});

test('SQL has the registries of TypeScript, without a coordinator', async () => {
  for (const [table, rows] of Object.entries(registryRows())) {
    const ofWorkers = `'{of_workers,min_trials,needs_encoder,told_at}'::text[]`;
    const known = await asScript.query<{ row: unknown }>(
      `select to_jsonb(t) - ${ofWorkers} as row from rafiki.${table} t`,
    );
    expect(byKey(known.map(({ row }) => row))).toEqual(byKey(rows));
  }
});

test('a database in another encoding than UTF8 is refused', async () => {
  const name = `${scriptName}_latin1`;
  await database.db.query(`create database ${name} encoding 'LATIN1' template template0 locale 'C'`);
  const url = new URL(database.url);
  url.pathname = name;
  const latin1 = new Database({ url: url.href, application: 'test', asUser: true, logger: silentLogger });
  const first = script.split(/(?<=^end \$\$;\n)/m).find((statement) => statement.includes('UTF8')); // as psql sends it
  const failure = await failureOf(latin1, first ?? '');
  await latin1.stop();
  await database.db.query(`drop database ${name} with (force)`);
  expect(failure).toMatchObject({ code: '0A000', detail: 'The encoding of this one is LATIN1.' });
});
