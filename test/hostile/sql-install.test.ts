import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { outcome } from '../support/hostile-stage.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** What the owner of a database, no superuser, prepares for the superuser who installs rafiki there, or brings it up to date. */
const noPsql = !existsSync('/usr/bin/psql');
const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');
const { idempotent, prologue } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8')) as {
  idempotent: string;
  prologue: string;
};

let database: TestDatabase;
let db: Database;
let dbo: Database;
let dboName: string;
const others: TestDatabase[] = [];

async function onDatabase(template: string): Promise<void> {
  database = await createTestDatabase(template);
  db = database.db;
  dbo = await database.as('dbo');
  const [row] = await dbo.query<{ name: string }>('select current_user::text as name');
  dboName = row!.name;
  await db.query(`alter database ${nameOf(database)} owner to ${dboName}`);
  await db.query(`grant all on schema public to ${dboName}`); // where "public" is not yet the owner of the database's
}
const nameOf = ({ url }: TestDatabase): string => new URL(url).pathname.slice(1);

afterEach(async () => {
  await database.drop();
  for (const other of others.splice(0)) await other.drop();
});

const isSuper = async (): Promise<boolean> => {
  const admin = await createTestDatabase('template0');
  others.push(admin);
  const [row] = await admin.db.query<{ rolsuper: boolean }>('select rolsuper from pg_roles where rolname = $1', [
    dboName,
  ]);
  await admin.db.query(`alter role ${dboName} nosuperuser`);
  return row!.rolsuper;
};

/** Code that makes the attacker a superuser if a superuser runs it, and otherwise does nothing. */
const evil = (signature: string, returns: string, result: string): string => `
  create function ${signature} returns ${returns} language plpgsql as $$ begin
    if (select rolsuper from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user) then
      execute 'alter role ${dboName} superuser';
    end if;
    return ${result}; end $$`;

/** Each in a new session, with the search path that the attacker set for the database. */
const ways: [string, (on: Database) => Promise<unknown>][] = [
  ['rafiki install', install],
  ['the script', (on) => on.transaction((tx) => tx.query(script))],
  ['the upgrading script', (on) => on.transaction((tx) => tx.query(prologue + idempotent))],
];

async function freshly(run: (on: Database) => Promise<unknown>): Promise<void> {
  const session = new Database({ url: database.url, application: 'test', asUser: true, logger: silentLogger });
  try {
    await run(session);
  } finally {
    await session.stop();
  }
}

describe('before rafiki is installed, the owner of the database', () => {
  beforeEach(() => onDatabase('template0'));

  test.each(ways)('creates a schema rafiki with a view in place of rafiki.migration: %s', async (_way, run) => {
    await dbo.query('create schema rafiki');
    await dbo.query(evil('rafiki.evil()', 'text', `'0001-tables'`));
    await dbo.query(evil('rafiki._build()', 'text', `'x'`));
    await dbo.query('create view rafiki.migration as select rafiki.evil() as name');
    await dbo.query('grant usage on schema rafiki to public; grant select on rafiki.migration to public');
    const failure = await freshly(run).catch((error: unknown) => error);
    expect(await isSuper()).toBe(false);
    expect(failure).toMatchObject({
      message: `schema rafiki belongs to role ${dboName}, which could have put anything into it`,
      hint: expect.stringContaining('drop schema rafiki cascade'),
    });
  });

  test('sets a role for the sessions of the database, to impersonate the installing role', async () => {
    await dbo.query('create schema rafiki');
    await dbo.query(`create function rafiki.evil() returns text language plpgsql as $$ begin
      set role none;
      alter role ${dboName} superuser;
      return '0001-tables'; end $$`);
    await dbo.query('create view rafiki.migration as select rafiki.evil() as name');
    await dbo.query(`alter database ${nameOf(database)} set role = ${dboName}`);
    const failure = await freshly(install).catch((error: unknown) => error);
    expect(await isSuper()).toBe(false);
    expect(failure).toMatchObject({ message: expect.stringContaining(`schema rafiki belongs to role ${dboName}`) });
  });

  test.each(ways)('creates operators that precede those of pg_catalog: %s', async (_way, run) => {
    for (const [type, other] of [
      ['name', 'name'],
      ['oid', 'oid'],
      ['text', 'text'],
      ['oid', 'regrole'],
      ['oid', 'regnamespace'],
    ]) {
      const name = `${type}_${other}`;
      await dbo.query(evil(`public.${name}(${type}, ${other})`, 'boolean', '$1::text operator(pg_catalog.=) $2::text'));
      for (const operator of ['=', '<>'])
        await dbo.query(
          `create operator public.${operator} (leftarg = ${type}, rightarg = ${other}, function = public.${name})`,
        );
    }
    for (const name of [
      'set_config(text, text, boolean)',
      'quote_ident(text)',
      'current_setting(text)',
      'to_regnamespace(text)',
    ])
      await dbo.query(evil(`public.${name}`, 'text', `'public'`));
    await dbo.query(`alter database ${nameOf(database)} set search_path = public, pg_catalog`);
    await freshly(run).catch(() => undefined); // the last of them needs more than there is
    expect(await isSuper()).toBe(false);
  });

  test.skipIf(noPsql)('creates functions that docs/install-managed.sql calls', async () => {
    await dbo.query(evil('public.format(text, text)', 'text', `'select 1'`));
    await dbo.query(evil('public.unnest(text[])', 'text', `'rafiki_reader'`));
    await dbo.query(evil('public.equal(name, name)', 'boolean', 'true'));
    await dbo.query('create operator public.= (leftarg = name, rightarg = name, function = public.equal)');
    await dbo.query(`alter database ${nameOf(database)} set search_path = public, pg_catalog`);
    await administrate();
    expect(await isSuper()).toBe(false);
  });

  test.each(ways)('creates the schema for dblink, to add functions there later: %s', async (_way, run) => {
    await dbo.query('create schema rafiki_dblink');
    await expect(freshly(run)).rejects.toMatchObject({
      message: `schema rafiki_dblink belongs to role ${dboName}, which could have put anything into it`,
      hint: expect.stringContaining('alter schema rafiki_dblink owner to'),
    });
  });

  test.each(ways)('owns the schema that dblink is in: %s', async (_way, run) => {
    await db.query('create schema his');
    await db.query('create extension dblink schema his');
    await db.query(`alter schema his owner to ${dboName}`);
    await expect(freshly(run)).rejects.toMatchObject({
      message: `dblink is in schema his, which belongs to ${dboName}`,
      hint: expect.stringContaining('alter extension dblink set schema rafiki_dblink'),
    });
    await db.query('create schema rafiki_dblink');
    await db.query('alter extension dblink set schema rafiki_dblink');
    if (run === install) await freshly(run);
  });

  test('owns the database, whose schema public has dblink', async () => {
    await db.query('alter schema public owner to pg_database_owner');
    await db.query('create extension dblink schema public');
    await expect(freshly(install)).rejects.toMatchObject({
      message: `dblink is in schema public, which belongs to ${dboName}`,
    });
  });

  test.skipIf(noPsql)('prepares the same for docs/install-managed.sql', async () => {
    await dbo.query('create schema rafiki_dblink');
    await expect(administrate()).rejects.toThrow(`schema rafiki_dblink belongs to role ${dboName}`);
    await dbo.query('drop schema rafiki_dblink');
    await db.query('alter schema public owner to pg_database_owner');
    await db.query('create extension dblink schema public');
    await expect(administrate()).rejects.toThrow(`dblink is in schema public, which belongs to ${dboName}`);
    await db.query('create schema rafiki_dblink');
    await db.query('alter extension dblink set schema rafiki_dblink');
    await administrate();
    const owner = `select nspowner::regrole::text as owner from pg_namespace where nspname = 'rafiki_dblink'`;
    expect(await db.query(owner)).toEqual([{ owner: 'rafiki_owner' }]);
    expect(await install(db)).not.toBe('unchanged');
  });

  async function administrate(): Promise<void> {
    const installer = await database.as('installer');
    const [row] = await installer.query<{ name: string }>('select current_user::text as name');
    const variables = ['ON_ERROR_STOP=1', `installer=${row?.name}`, 'password=secret'];
    const args = [
      '-X',
      '-q',
      ...variables.flatMap((each) => ['-v', each]),
      '-f',
      'docs/install-managed.sql',
      database.url,
    ];
    execFileSync('psql', args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: path.resolve(import.meta.dirname, '../..') });
  }
});

describe('where rafiki is installed, the owner of the database', () => {
  beforeEach(async () => {
    await onDatabase('template0');
    await db.transaction((tx) => tx.query(script));
  });

  /** As an upgrade does that brings new functions. */
  const upgrade = (on: Database): Promise<unknown> => on.transaction((tx) => tx.query(prologue + idempotent));

  test('replaces the schema that dblink is in: the definers still call dblink', async () => {
    await db.query(`alter schema rafiki_dblink owner to ${dboName}`); // as one who made it before
    await dbo.query('alter schema rafiki_dblink rename to aside');
    await dbo.query('create schema rafiki_dblink; grant usage on schema rafiki_dblink to public');
    await dbo.query(`create function rafiki_dblink.dblink_get_connections() returns text[] language plpgsql as $$ begin
      raise exception 'this runs as %', current_user using errcode = 'ZZ999'; end $$`);
    expect(await outcome(dbo, `select rafiki._take('m', 'x', current_user)`)).toBe('ok');
    expect(await outcome(dbo, `select rafiki._send_rows(gen_random_uuid(), false, '', '[]')`)).not.toBe('ZZ999');
    expect(await outcome(dbo, 'select rafiki._open_bridge(false)')).toMatch(/^08/); // no server has ever run
    await expect(upgrade(db)).rejects.toMatchObject({ message: expect.stringContaining(`belongs to ${dboName}`) });
  });

  test('puts an extension into schema rafiki: it is not changed, and upgrades work', async () => {
    const all = await catalogue(db);
    await dbo.query('create extension citext schema rafiki');
    await dbo.query('create extension tablefunc schema rafiki');
    await dbo.query(`create table public.said (body rafiki.citext primary key)`);
    const members = `
      select pg_describe_object(d.classid, d.objid, 0) as what, p.proowner::regrole as owner, p.proacl as rights
      from pg_extension e join pg_depend d on d.refobjid = e.oid and d.deptype = 'e' left join pg_proc p on p.oid = d.objid
      where e.extname in ('citext', 'tablefunc') order by 1`;
    const before = await db.query(members);
    expect(before.length).toBeGreaterThan(60);
    await upgrade(db);
    expect(await db.query(members)).toEqual(before);
    await dbo.query('drop extension citext cascade; drop extension tablefunc');
    expect(await catalogue(db)).toEqual(all);
  });
});

describe('an upgrade', () => {
  beforeEach(() => onDatabase('template0'));

  test('neither waits for an idle transaction nor blocks others: it names the session', async () => {
    await db.transaction((tx) => tx.query(script));
    await db.query(`create or replace function rafiki._build() returns text language sql as $$ select 'older' $$`);
    const holder = await dbo.connect(() => undefined);
    const [own] = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
    await holder.query('begin');
    await holder.query('select from rafiki.model');
    const upgrading = install(db).catch((error: unknown) => error);
    const asked = await database.as('asker');
    let slow = 0;
    let done = false;
    void upgrading.then(() => {
      done = true;
    });
    while (!done) {
      await asked.query(`set statement_timeout = '20s'`);
      await asked.query('select from rafiki.models').catch(() => slow++);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await upgrading).toMatchObject({
      sqlstate: '55P03',
      message: 'rafiki cannot be upgraded while a transaction uses it',
      detail: expect.stringMatching(new RegExp(`Process ${own!.pid} of role ${dboName} .* since `)),
      hint: expect.stringContaining(`pg_terminate_backend(${own!.pid})`),
    });
    expect(slow).toBe(0);
    await holder.query('commit');
    await holder.close();
    expect(await install(db)).toBe('upgraded');
  });
});
