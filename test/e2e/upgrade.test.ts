import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';
import { released, restore } from '../support/released.ts';
import { eventually } from '../support/studies.ts';

let dataDir: string;
let rafiki: RunningRafiki | undefined;

beforeAll(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-upgrade-'));
  await leaveFolder();
});
afterAll(async () => {
  await rafiki?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A data folder of 0.1.0's `up`, whose user was the superuser, and the owner of all that is alice's in the dump. */
async function leaveFolder(): Promise<void> {
  chmodSync(dataDir, 0o711);
  const identity = postgresIdentity();
  const extension = path.join(dataDir, 'extension');
  cpSync(extensionDir, extension, { recursive: true });
  writeFileSync(path.join(extension, 'extension/rafiki--0.1.0.sql'), released('rafiki--0.1.0'));
  const cluster = new Cluster({
    postgresDir: await embeddedPostgres(identity, dataDir),
    dataDir,
    port: await choosePort(undefined, 24_718, '--port'),
    identity,
    initdbArgs: ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    settings: { extension_control_path: `$system:${extension}` },
  });
  await cluster.start();
  try {
    await asSuperuser(cluster.url('postgres'), 'create role bob login; create database rafiki');
    const dump = released('as-extension').replace('EXISTS rafiki WITH SCHEMA public', `$& VERSION '0.1.0'`);
    await asSuperuser(cluster.url('rafiki'), dump.replaceAll(/\balice\b/g, 'postgres'));
    await asSuperuser(
      cluster.url('rafiki'),
      `create schema shop;
       create type shop.size as enum ('small', 'large');
       create type shop.span as range (subtype = date);
       create type shop.address as (street text, number int);
       create domain shop.price as numeric check (value >= 0);
       create table shop.item (id int generated always as identity, number serial, size shop.size, price shop.price);
       create view shop.large as select * from shop.item where size = 'large';
       create materialized view shop.counted as select count(*) from shop.item;
       create sequence shop.tickets;
       create function shop.half(numeric) returns numeric language sql return $1 / 2;
       create aggregate shop.total (int) (sfunc = int4pl, stype = int);
       create procedure shop.nothing() language sql begin atomic end;
       create table shop.parted (i int) partition by range (i);
       create table shop.part partition of shop.parted for values from (0) to (10)`,
    );
  } finally {
    await cluster.stop();
  }
}

async function asSuperuser(url: string, sql: string): Promise<void> {
  const session = new Database({ url, application: 'test', asUser: true, logger: silentLogger });
  try {
    if (sql.startsWith('create role')) for (const statement of sql.split('; ')) await session.query(statement);
    else await restore(session, sql);
  } finally {
    await session.stop();
  }
}

test("the data folder of 0.1.0: the superuser's objects become the user's, predictions and training work", async () => {
  rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  const { db, admin } = rafiki;
  expect(
    await db.query('select current_user::text as name, rolsuper from pg_roles where rolname = current_user'),
  ).toEqual([{ name: 'rafiki_user', rolsuper: false }]);
  const otherRoles = await admin.query(`
    select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'shop') and c.relowner <> 'rafiki_user'::regrole
    union all
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace = 'shop'::regnamespace and p.proowner <> 'rafiki_user'::regrole
    union all
    select t.oid::regtype::text from pg_type t where t.typnamespace = 'shop'::regnamespace and t.typowner <> 'rafiki_user'::regrole`);
  expect(otherRoles).toEqual([]);
  const predict = `select rafiki_predict('reviews_sentiment', 'a great film') as label`;
  await eventually(db, `select from rafiki.deployments where state = 'ready'`);
  expect(await db.query(predict)).toEqual([{ label: 'pos' }]);
  await db.query(`insert into inbox (body) values ('an awful plot')`);
  await eventually(db, `select from inbox where mood = 'neg'`);
  await db.query(`call rafiki_train_wait('sentiment', 'reviews', families => '{fasttext}', max_trials => 1)`);
  expect(await db.query('select owner::text, max(version) as last from rafiki.models group by owner')).toEqual([
    { owner: 'rafiki_user', last: 2 },
  ]);
  await db.query(`alter table shop.item add note text; drop schema shop cascade`);
  await rafiki.stop();
});

test('and it is opened again', async () => {
  rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  await eventually(rafiki.db, `select from rafiki.deployments where state = 'ready'`);
  expect(await rafiki.db.query('select version from rafiki.models order by version')).toEqual([
    { version: 1 },
    { version: 2 },
  ]);
});
