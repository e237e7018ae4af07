import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extensionDir } from '../../src/cli/install.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** The same catalogue must come out of both ways in, on every version: the golden files are shared. */
const sqlDir = path.resolve(import.meta.dirname, '../../sql');
const built = path.join(extensionDir, 'extension');
const script = readFileSync(path.join(built, readdirSync(built).find((file) => file.endsWith('.sql')) ?? ''), 'utf8');

let database: TestDatabase;
let asScript: Database;
let scriptName: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  scriptName = `${url.pathname.slice(1)}_script`;
  await database.db.query(`create database ${scriptName}`);
  url.pathname = scriptName;
  asScript = new Database({ url: url.href, application: 'test', logger: silentLogger });
  await asScript.transaction((tx) => tx.query(script));
});
afterAll(async () => {
  await asScript.stop();
  await database.db.query(`drop database ${scriptName} with (force)`);
  await database.drop();
});

const functions = `
  select format('%s: %s %s%s%s%s', p.oid::regprocedure,
           case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
           case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
           case when p.proisstrict then ' strict' else '' end, case when p.prosecdef then ' definer' else '' end,
           case when has_function_privilege('public', p.oid, 'execute') then '' else ' owner-only' end) as line
  from pg_proc p where p.proname like 'rafiki\\_%' or p.pronamespace = 'rafiki'::regnamespace
  order by p.oid::regprocedure::text collate "C"`;

const privileges = `
  select format('%s: %s', what, string_agg(right_, ', ' order by right_)) as line from (
    select c.oid::regclass::text as what, lower(a.privilege_type) as right_
    from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'rafiki'::regnamespace and a.grantee = 0
    union all
    select c.oid::regclass::text, format('%s (%s)', lower(a.privilege_type), string_agg(t.attname, ', ' order by t.attnum))
    from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
    where c.relnamespace = 'rafiki'::regnamespace and a.grantee = 0 group by 1, a.privilege_type) r
  group by what order by what collate "C"`;

const lines = async (db: Database, sql: string): Promise<string> =>
  `${(await db.query<{ line: string }>(sql)).map(({ line }) => line).join('\n')}\n`;

describe.each([
  ['as the template has it', () => database.db],
  ['as a script', () => asScript],
])('installed %s', (_way, db) => {
  test('the functions are these', async () => {
    await expect(await lines(db(), functions)).toMatchFileSnapshot('golden/functions.txt');
  });

  test('everybody has these rights', async () => {
    await expect(await lines(db(), privileges)).toMatchFileSnapshot('golden/privileges.txt');
    const [row] = await db().query<{ reach: boolean }>(
      `select has_schema_privilege('public', 'rafiki_dblink', 'usage') as reach`,
    );
    expect(row?.reach).toBe(false);
  });

  test('definers and the API in PL/pgSQL pin their search path; a procedure that commits cannot', async () => {
    const unpinned = `
      select p.oid::regprocedure from pg_proc p join pg_language l on l.oid = p.prolang
      where (prosecdef and pronamespace = 'rafiki'::regnamespace or proname like 'rafiki\\_%' and lanname = 'plpgsql' and prokind = 'f')
        and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)`;
    expect(await db().query(unpinned)).toEqual([]);
  });

  test('everything that a user meets has a comment', async () => {
    const silent = `
      select oid::regprocedure::text as what from pg_proc where proname like 'rafiki\\_%' and obj_description(oid, 'pg_proc') is null
      union all
      select oid::regclass::text from pg_class
      where relnamespace = 'rafiki'::regnamespace and relkind in ('r', 'v') and obj_description(oid, 'pg_class') is null`;
    expect(await db().query(silent)).toEqual([]);
  });

  test('a second install fails, and changes nothing', async () => {
    await expect(db().transaction((tx) => tx.query(script))).rejects.toMatchObject({ code: '42P06' });
  });
});

test('the idempotent files can run again, and change nothing', async () => {
  const before = [await lines(asScript, functions), await lines(asScript, privileges)];
  const dir = path.join(sqlDir, 'idempotent');
  for (const file of readdirSync(dir).sort()) await asScript.query(readFileSync(path.join(dir, file), 'utf8'));
  expect([await lines(asScript, functions), await lines(asScript, privileges)]).toEqual(before);
});

test('a database in another encoding than UTF8 is refused', async () => {
  const name = `${scriptName}_latin1`;
  await database.db.query(`create database ${name} encoding 'LATIN1' template template0 locale 'C'`);
  const url = new URL(database.url);
  url.pathname = name;
  const latin1 = new Database({ url: url.href, application: 'test', logger: silentLogger });
  const [firstStatement] = script.split(/(?<=^end \$\$;\n)/m); // as psql sends it
  const failure = await failureOf(latin1, firstStatement ?? '');
  await latin1.stop();
  await database.db.query(`drop database ${name} with (force)`);
  expect(failure).toMatchObject({ code: '0A000', detail: 'The encoding of this one is LATIN1.' });
});
