import path from 'node:path';
import type { Queryable } from '../../db/database.ts';
import { EnvironmentUnfit, RowLocked } from '../../errors/errors.ts';
import { sleep } from '../../runtime/sleep.ts';
import { version } from '../../runtime/version.ts';
import { checkRoles, isSchemaIntact } from './intact.ts';
import { missingRights } from './missing-rights.ts';
import { OtherBuild } from './other-build.ts';
import { becomeOwner, giveToOwner } from './owner-role.ts';
import { extensionDir, readParts, type ScriptParts } from './script-parts.ts';

export type Installed = 'unchanged' | 'as an extension' | 'as a script' | 'upgraded' | 'repaired';

/** A session for installing, which keeps its own search path: it selects the API's schema. */
export type Installer = Queryable & { transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> };

/**
 * Installs or upgrades the SQL side of a database: as an extension if the server can find the files, otherwise as a
 * script. Refuses schemas of a newer version or of another owner. Waits only briefly for locks, since later sessions
 * queue behind the request, and retries after a pause. Throws {@link EnvironmentUnfit} and {@link RowLocked}.
 */
export async function install(db: Installer): Promise<Installed> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction(installOrUpgrade);
    } catch (cause) {
      const { code = '' } = cause as { code?: string };
      if (code === INSUFFICIENT_PRIVILEGE) throw await mayNotInstall(db, cause as Error);
      if (!LOCKED.has(code) && !CONCURRENT_INSTALL.has(code)) throw cause;
      if (tries === TRIES) throw CONCURRENT_INSTALL.has(code) ? cause : await inUse(db, cause as Error);
    }
    await sleep(PAUSE_MS);
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';
/** lock_not_available, deadlock_detected */
const LOCKED = new Set(['55P03', '40P01']);
/** unique_violation, duplicate_schema, duplicate_object, "tuple concurrently updated": a retry finds everything installed. */
const CONCURRENT_INSTALL = new Set(['23505', '42P06', '42710', 'XX000']);
/** Half of the time after which Postgres looks for deadlocks, so that it is this transaction that gives up, not one that waits for it. */
const LOCK_TIMEOUT_MS = 500;
const TRIES = 5;
const PAUSE_MS = 2_000;

async function mayNotInstall(db: Installer, cause: Error): Promise<EnvironmentUnfit> {
  const missing = await db.transaction(missingRights);
  const whole = 'docs/install-managed.sql (see its first lines)';
  return new EnvironmentUnfit('this role may not install rafiki into the database', {
    detail: cause.message,
    hint:
      missing.length === 0
        ? `An administrator runs ${whole}, before an upgrade too.`
        : `An administrator runs this in the database, or all of ${whole}; before an upgrade too:\n  ${missing.join('\n  ')}`,
    cause,
  });
}

/**
 * First pins the search path and checks the owners of the schemas: before, nothing is called that another user could
 * have created.
 */
async function installOrUpgrade(tx: Queryable): Promise<Installed> {
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
  const installed = await applyVersion(tx, found, parts, applied);
  if (installed === 'unchanged') await tx.query('select rafiki._check_dblink()'); // rights may have changed meanwhile
  await tx.query('reset role');
  await forgetForeignServer(tx);
  return installed;
}

/** Checked first: the script contains characters that other encodings may lack. */
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
  /** The API's schema, quoted. */
  home: string;
  extension: string | null;
  offered: string | null;
}

async function applyVersion(
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
    if (isCurrent) return 'unchanged';
    throw new OtherBuild();
  }
  if (offered !== version) throw otherFiles(offered);
  await becomeOwner(tx);
  await tx.query('alter extension rafiki update');
  return 'upgraded';
}

const otherFiles = (offered: string | null): EnvironmentUnfit =>
  new EnvironmentUnfit(`PostgreSQL offers another version of the extension rafiki than ${version}`, {
    detail: `It has ${offered ?? 'none'}.`,
    hint: `Copy the files of ${path.join(extensionDir, 'extension')} to the folder where it looks for extensions.`,
  });

interface PresentScript {
  /** Incremental files that have not been applied to the database. */
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
  if (await isSchemaIntact(tx)) return 'unchanged';
  await checkRoles(tx);
  await giveToOwner(tx);
  await runScript(tx, parts, []);
  await tx.query('delete from rafiki.bridge'); // another user may have registered a server
  return 'repaired';
}

async function isBuild(tx: Queryable, build: string): Promise<boolean> {
  const [made] = await tx.query<{ there: boolean }>(`select to_regproc('rafiki._build') is not null as there`);
  if (made?.there !== true) return false;
  const [row] = await tx.query<{ build: string }>('select rafiki._build() as build');
  return row?.build === build;
}

/**
 * The incremental files that were applied to the database. Throws if there are some that this version does not have.
 */
async function appliedFiles(tx: Queryable, { incremental }: ScriptParts): Promise<string[]> {
  const [ledger] = await tx.query<{ plain: boolean }>(
    `select relkind = 'r' as plain from pg_class where oid = to_regclass('rafiki.migration')`,
  );
  if (ledger?.plain === false) throw new EnvironmentUnfit('rafiki.migration is not the table that rafiki created');
  const applied = ledger
    ? (await tx.query<{ name: string }>('select name from rafiki.migration')).map(({ name }) => name)
    : ['0001-tables']; // 0.1.0 did not record them
  const unknownFile = applied.find((name) => !incremental.some((known) => known.name === name));
  if (unknownFile === undefined) return applied;
  throw new EnvironmentUnfit(`the database was changed by a newer version of rafiki than ${version}`, {
    detail: `This version does not have ${unknownFile}.`,
    hint: 'Run the newest version everywhere.',
  });
}

/** Called after the prologue. */
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

/** A restored dump of 0.1.0 has a foreign server of its original owner, which rafiki_owner cannot change. */
async function forgetForeignServer(tx: Queryable): Promise<void> {
  const [foreign] = await tx.query<{ owner: string }>(
    `select pg_get_userbyid(srvowner) as owner from pg_foreign_server where srvname = 'rafiki_bridge'`,
  );
  if (foreign !== undefined && foreign.owner !== 'rafiki_owner') await tx.query('drop server rafiki_bridge cascade');
}

/**
 * The sessions that have used our tables for longer than the lock timeout. Other roles' start times are visible to some
 * roles only.
 */
async function inUse(db: Installer, cause: Error): Promise<RowLocked> {
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
  const descriptions = users.map(
    ({ pid, who, application, since }) =>
      `Process ${pid} of role ${who}${application ? ` (${application})` : ''} has used it since ${since ?? 'an unknown time (not visible to this role)'}.`,
  );
  const end = users.map(({ pid }) => `select pg_terminate_backend(${pid});`).join(' ');
  return new RowLocked('rafiki cannot be upgraded while a transaction uses it', {
    detail: descriptions.join(' ') || cause.message,
    hint: end ? `Wait until it ends, or end it: ${end}` : 'Try again.',
    cause,
  });
}
