import { afterAll, beforeAll, expect, test } from 'vitest';
import { Attempts } from '../support/attempts.ts';
import { createStage, type HostileStage, type LoginRole, outcome, privileges } from '../support/hostile-stage.ts';

/** Each role against our roles, schemas, server and types, and against what only a superuser may do. */
const attempts = new Attempts('roles');
let stage: HostileStage;
let db: HostileStage['database']['db'];
let allRoles: LoginRole[];
let acls: string;

beforeAll(async () => {
  stage = await createStage();
  db = stage.database.db;
  const odd = await stage.join('Ödd "name" \\ 🙂');
  allRoles = [stage.modelOwner, stage.grantee, stage.otherRole, stage.dbo, odd];
  acls = await privileges(db);
  for (const { sql, session } of allRoles) {
    await session.query(`set search_path = ${sql}, public`);
    await session.query(`create function noop() returns trigger language plpgsql as $$ begin return null; end $$`);
    await session.query('create table own (id bigint primary key, body text)');
  }
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

test('roles, schemas, the server and their objects cannot be taken over', async () => {
  await db.query(`select rafiki._connect_bridge('127.0.0.1', 1, 'secret')`);
  const statements: [string, string[]][] = [
    ...['rafiki_owner', 'rafiki_service', 'rafiki_reader', 'postgres'].flatMap((role): [string, string[]][] => [
      [`set role ${role}`, ['42501']],
      [`set session authorization ${role}`, ['42501']],
      [`grant ${role} to current_user`, ['42501']],
      [`alter role ${role} password 'x'`, ['42501']],
      [`alter role ${role} set search_path = public`, ['42501']],
      [
        `alter role ${role} in database "${new URL(stage.database.url).pathname.slice(1)}" set role = postgres`,
        ['42501'],
      ],
      [`drop role ${role}`, ['42501']],
      [`drop owned by ${role}`, ['42501']],
      [`reassign owned by ${role} to current_user`, ['42501']],
      [`alter default privileges for role ${role} grant all on tables to public`, ['42501']],
      [`create schema mine authorization ${role}`, ['42501']],
      [`comment on role ${role} is 'x'`, ['42501']],
      [`alter function noop() owner to ${role}`, ['42501']],
      [`alter table own owner to ${role}`, ['42501']],
    ]),
    ...['rafiki', 'rafiki_reader', 'rafiki_dblink'].flatMap((schema): [string, string[]][] => [
      [`drop schema ${schema} cascade`, ['42501']],
      [`alter schema ${schema} rename to other`, ['42501']],
      [`alter schema ${schema} owner to current_user`, ['42501']],
      [`grant all on schema ${schema} to public`, ['42501', 'ok']], // a warning where there is nothing to grant
      [`alter default privileges in schema ${schema} grant all on tables to public`, ['ok', '42501']], // of the role's own tables
      [`comment on schema ${schema} is 'x'`, ['42501']],
      ...(schema === 'rafiki_reader'
        ? []
        : ([
            [`create table ${schema}.x ()`, ['42501']],
            [`create function ${schema}.x() returns int language sql return 1`, ['42501']],
            [`create domain ${schema}.x as text`, ['42501']],
            [`create operator ${schema}.@@@ (function = texteq, leftarg = text, rightarg = text)`, ['42501']],
            [`alter function noop() set schema ${schema}`, ['42501']],
            [`alter table own set schema ${schema}`, ['42501']],
            // the owner of a database may put a trusted extension into any schema: its code is a superuser's
            [`create extension pgcrypto schema ${schema}`, ['42501', 'ok']],
          ] as [string, string[]][])),
    ]),
    ['select rafiki_dblink.dblink_get_connections()', ['42501']],
    [`select rafiki_dblink.dblink_connect('rafiki', 'host=evil')`, ['42501']],
    [`select 'rafiki_dblink.dblink_connect(text)'::regprocedure`, ['42501']],
    [`create aggregate mine (text) (sfunc = rafiki_dblink.dblink_exec, stype = text)`, ['42501']],
    [`create server mine foreign data wrapper dblink_fdw`, ['42501']],
    [`alter server rafiki_bridge options (set host 'evil')`, ['42501']],
    [`drop server rafiki_bridge cascade`, ['42501']],
    [`create user mapping for current_user server rafiki_bridge options (user 'rafiki', password 'x')`, ['42501']],
    [`create user mapping for public server rafiki_bridge`, ['42501']],
    [`alter user mapping for rafiki_owner server rafiki_bridge options (set password 'x')`, ['42501']],
    [`drop user mapping for rafiki_owner server rafiki_bridge`, ['42501']],
    [`grant usage on foreign server rafiki_bridge to public`, ['42501']],
    [`create event trigger mine on ddl_command_start execute function noop()`, ['42501']],
    [`drop extension rafiki cascade`, ['42501', '42704']],
    [`alter extension rafiki add table own`, ['42501', '42704']],
    ['create extension file_fdw', ['42501']],
    [`alter system set search_path = public`, ['25001', '42501']],
    [`select pg_read_file('/etc/passwd')`, ['42501']],
    [`select lo_import('/etc/passwd')`, ['42501']],
    [`select pg_ls_dir('.')`, ['42501']],
    [`set session_replication_role = replica`, ['42501']],
    [`create language plpython3u`, ['42501', '58P01', '0A000']],
    [`create function mine() returns int language c as 'x'`, ['42501']],
    [`create cast (rafiki.reply as text) without function`, ['42501', '42P17']],
    [`alter type rafiki.reply add attribute x text`, ['42501']],
    [`drop type rafiki.reply cascade`, ['42501']],
    [`alter type rafiki.reply owner to current_user`, ['42501']],
    [
      `select pg_terminate_backend(pid) from pg_stat_activity where usename like 'rafiki%' or usename = 'postgres'`,
      ['42501'],
    ],
    [`select pg_cancel_backend(pid) from pg_stat_activity where usename = 'postgres'`, ['42501']],
  ];
  for (const person of allRoles)
    for (const [statement, wanted] of statements)
      attempts.note(`${person.name}: ${statement}`, await outcome(person.session, statement), wanted);
  expect(attempts.astray()).toEqual([]);
  expect(await privileges(db)).toBe(acls);
  expect(attempts.count).toBeGreaterThan(400);
});
