import path from 'node:path';
import type { Queryable } from '../../db/database.ts';
import { EnvironmentUnfit, RowHeld } from '../../errors/errors.ts';
import { sleep } from '../../runtime/sleep.ts';
import { version } from '../../runtime/version.ts';
import { checkRoles, isIntact } from './intact.ts';
import { missingRights } from './missing-rights.ts';
import { becomeOwner, giveToOwner } from './owner-role.ts';
import { extensionDir, readParts, type ScriptParts } from './script-parts.ts';

export type Installed = 'there already' | 'as an extension' | 'as a script' | 'upgraded' | 'repaired';

/** Sessions of whoever installs: they keep their own search path, which says where the API goes. */
export type Installer = Queryable & { transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> };

/**
 * Brings the SQL side of a database to this version: as an extension where the server can see one, as a script elsewhere. Refuses
 * what a newer version has made, and what somebody else has put where ours belongs. A lock that others hold is waited for shortly,
 * since everybody who comes later waits behind us; then they go on, and it is tried again.
 */
export async function install(db: Installer): Promise<Installed> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction(bringUp);
    } catch (cause) {
      const { code = '' } = cause as { code?: string };
      if (code === INSUFFICIENT_PRIVILEGE) throw await mayNotInstall(db, cause as Error);
      if (!IN_THE_WAY.has(code) && !SOMEBODY_ELSE.has(code)) throw cause;
      if (tries === TRIES) throw SOMEBODY_ELSE.has(code) ? cause : await inUse(db, cause as Error);
    }
    await sleep(PAUSE_MS);
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';
/** lock_not_available, deadlock_detected */
const IN_THE_WAY = new Set(['55P03', '40P01']);
/**
 * unique_violation, duplicate_schema, duplicate_object, and "tuple concurrently updated": somebody else installs at the same time, and
 * next time all of it is there.
 */
const SOMEBODY_ELSE = new Set(['23505', '42P06', '42710', 'XX000']);
const LOCK_TIMEOUT_MS = 1_000;
const TRIES = 5;
const PAUSE_MS = 2_000;

async function mayNotInstall(db: Installer, cause: Error): Promise<EnvironmentUnfit> {
  const missing = await db.transaction(missingRights);
  const whole = 'docs/install-managed.sql, whose first lines say how';
  return new EnvironmentUnfit('this role may not install rafiki into the database', {
    detail: cause.message,
    hint:
      missing.length === 0
        ? `An administrator runs ${whole}, before an upgrade too.`
        : `An administrator runs this in the database, or all of ${whole}; before an upgrade too:\n  ${missing.join('\n  ')}`,
    cause,
  });
}

/** Begins with what pins the search path and looks whose the schemas are: before, nothing is called that another could have made. */
async function bringUp(tx: Queryable): Promise<Installed> {
  const parts = readParts();
  await checkEncoding(tx);
  await tx.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local standard_conforming_strings = on`);
  await tx.query(parts.prologue);
  await tx.query('set local search_path = pg_catalog, pg_temp');
  const [found] = await tx.query<Found>(
    `select to_regnamespace('rafiki') is not null as there, current_setting('rafiki.home') as home,
       (select extversion from pg_extension where extname = 'rafiki') as extension,
       (select default_version from pg_available_extensions where name = 'rafiki') as offered`,
  );
  if (found === undefined) throw new Error('a select without from gives a row');
  const applied = found.there ? await appliedFiles(tx, parts) : undefined;
  const installed = await bringTo(tx, found, parts, applied);
  if (installed === 'there already') await tx.query('select rafiki._check_dblink()'); // rights may have changed since
  await tx.query('reset role');
  await forgetForeignServer(tx);
  return installed;
}

/** First of all: the script has signs that another encoding may not have. */
async function checkEncoding(tx: Queryable): Promise<void> {
  const [row] = await tx.query<{ encoding: string }>('select pg_catalog.getdatabaseencoding() as encoding');
  if (row?.encoding === 'UTF8') return;
  throw new EnvironmentUnfit('rafiki needs a database in UTF8', {
    detail: `The encoding of this one is ${row?.encoding}.`,
    hint: "Create one with: create database NAME encoding 'UTF8' template template0.",
  });
}

interface Found {
  there: boolean;
  /** The schema of the API, quoted. */
  home: string;
  extension: string | null;
  offered: string | null;
}

async function bringTo(
  tx: Queryable,
  found: Found,
  parts: ScriptParts,
  applied?: readonly string[],
): Promise<Installed> {
  const { extension, offered, home } = found;
  if (applied !== undefined) {
    const missing = parts.incremental.filter(({ name }) => !applied.includes(name));
    const isCurrent = missing.length === 0 && (await isBuild(tx, parts.build));
    return extension === null
      ? upgradeScript(tx, parts, { missing, isCurrent })
      : upgradeExtension(tx, { present: extension, offered, isCurrent });
  }
  if (offered !== null) return createExtension(tx, offered, home);
  await runScript(tx, parts, parts.incremental);
  return 'as a script';
}

async function createExtension(tx: Queryable, offered: string, home: string): Promise<Installed> {
  if (offered !== version) throw otherFiles(offered);
  await becomeOwner(tx);
  await tx.query(`create extension rafiki schema ${home} cascade`);
  return 'as an extension';
}

interface PresentExtension {
  present: string;
  offered: string | null;
  isCurrent: boolean;
}

async function upgradeExtension(tx: Queryable, { present, offered, isCurrent }: PresentExtension): Promise<Installed> {
  if (present === version) {
    if (isCurrent) return 'there already';
    throw new EnvironmentUnfit(`the database has an unreleased build of rafiki ${version}`, {
      detail: 'PostgreSQL upgrades an extension from one version to another only, and these are two builds of one.',
      hint: 'Dump the database and restore it, which makes the extension anew; or remove the data folder if nothing in it is worth keeping.',
    });
  }
  if (offered !== version) throw otherFiles(offered);
  await becomeOwner(tx);
  await tx.query('alter extension rafiki update');
  return 'upgraded';
}

const otherFiles = (offered: string | null): EnvironmentUnfit =>
  new EnvironmentUnfit(`PostgreSQL offers another version of the extension rafiki than ${version}`, {
    detail: `It has ${offered ?? 'none'}.`,
    hint: `Copy the files of ${path.join(extensionDir, 'extension')} to where it looks for extensions.`,
  });

interface PresentScript {
  /** Files that the database has not had. */
  missing: ScriptParts['incremental'];
  isCurrent: boolean;
}

async function upgradeScript(
  tx: Queryable,
  parts: ScriptParts,
  { missing, isCurrent }: PresentScript,
): Promise<Installed> {
  if (!isCurrent) {
    await runScript(tx, parts, missing);
    return 'upgraded';
  }
  if (await isIntact(tx)) return 'there already';
  await checkRoles(tx);
  await giveToOwner(tx);
  await runScript(tx, parts, []);
  await tx.query('delete from rafiki.bridge'); // whoever could call anything may have put his own server there
  return 'repaired';
}

async function isBuild(tx: Queryable, build: string): Promise<boolean> {
  const [made] = await tx.query<{ there: boolean }>(`select to_regproc('rafiki._build') is not null as there`);
  if (made?.there !== true) return false;
  const [row] = await tx.query<{ build: string }>('select rafiki._build() as build');
  return row?.build === build;
}

/** The incremental files that the database has had. Refuses one with files that this version does not know. */
async function appliedFiles(tx: Queryable, { incremental }: ScriptParts): Promise<string[]> {
  const [ledger] = await tx.query<{ plain: boolean }>(
    `select relkind = 'r' as plain from pg_class where oid = to_regclass('rafiki.migration')`,
  );
  if (ledger?.plain === false) throw new EnvironmentUnfit('rafiki.migration is not the table that rafiki made');
  const applied = ledger
    ? (await tx.query<{ name: string }>('select name from rafiki.migration')).map(({ name }) => name)
    : ['0001-tables']; // 0.1.0 had no ledger
  const strange = applied.find((name) => !incremental.some((known) => known.name === name));
  if (strange === undefined) return applied;
  throw new EnvironmentUnfit(`the database was changed by a newer version of rafiki than ${version}`, {
    detail: `This one does not know ${strange}.`,
    hint: 'Run the newest version everywhere.',
  });
}

/** The prologue has run. */
async function runScript(
  tx: Queryable,
  { joining, idempotent }: ScriptParts,
  incremental: ScriptParts['incremental'],
): Promise<void> {
  await becomeOwner(tx);
  await tx.query('set local search_path = rafiki, pg_temp');
  await tx.query([joining, ...incremental.map(({ text }) => text), idempotent].join('\n'));
  await tx.query('set local search_path = pg_catalog, pg_temp');
}

/** A restored dump of 0.1.0 has the foreign server of its original, which rafiki_owner could not change. */
async function forgetForeignServer(tx: Queryable): Promise<void> {
  const [foreign] = await tx.query<{ owner: string }>(
    `select pg_get_userbyid(srvowner) as owner from pg_foreign_server where srvname = 'rafiki_bridge'`,
  );
  if (foreign !== undefined && foreign.owner !== 'rafiki_owner') await tx.query('drop server rafiki_bridge cascade');
}

/** Who has been using a table of ours for longer than we waited. Only some roles are told since when others have. */
async function inUse(db: Installer, cause: Error): Promise<RowHeld> {
  const users = await db.transaction(async (tx) => {
    await tx.query('set local search_path = pg_catalog, pg_temp');
    return tx.query<{ pid: number; who: string; application: string; since: string | null }>(
      `select a.pid, coalesce(a.usename::text, a.backend_type) as who, a.application_name as application,
         to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ') as since
       from pg_stat_activity a
       where a.pid <> pg_backend_pid() and (a.xact_start < now() - $1::int * interval '1 ms') is not false and exists (
         select from pg_locks l join pg_class c on c.oid = l.relation
         where l.pid = a.pid and l.granted and c.relnamespace = 'rafiki'::regnamespace
           and l.database = (select oid from pg_database where datname = current_database()))
       order by a.xact_start limit 5`,
      [LOCK_TIMEOUT_MS],
    );
  });
  const told = users.map(
    ({ pid, who, application, since }) =>
      `Process ${pid} of role ${who}${application ? ` (${application})` : ''} has used it since ${since ?? 'a time that only its role is told'}.`,
  );
  const end = users.map(({ pid }) => `select pg_terminate_backend(${pid});`).join(' ');
  return new RowHeld('rafiki cannot be upgraded while a transaction uses it', {
    detail: told.join(' ') || cause.message,
    hint: end ? `Wait until it ends, or end it: ${end}` : 'Try again.',
    cause,
  });
}
