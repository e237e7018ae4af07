import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Queryable } from '../db/database.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { version } from '../runtime/version.ts';

/** The folder to put into `extension_control_path`, as built by `npm run build`. */
export const extensionDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../dist/extension');

export type Installed = 'there already' | 'as an extension' | 'as a script' | 'upgraded';

/** Sessions of whoever installs: they keep their own search path, which says where the API goes. */
export type Installer = Queryable & { transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> };

/** What `scripts/build-sql.mjs` writes: the script in its parts. */
interface Parts {
  /** Names what is replaceable. */
  build: string;
  prologue: string;
  incremental: { name: string; text: string }[];
  idempotent: string;
}

/**
 * Brings the SQL side of a database to this version: as an extension where the server can see one, as a script elsewhere. Refuses
 * what a newer version has made.
 */
export async function install(db: Installer): Promise<Installed> {
  try {
    return await bringUp(db);
  } catch (cause) {
    if ((cause as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw cause;
    throw new EnvironmentUnfit('this role may not install rafiki into the database', {
      detail: (cause as Error).message,
      hint: 'An administrator runs docs/install-managed.sql once; its first lines say how.',
      cause,
    });
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

async function bringUp(db: Installer): Promise<Installed> {
  const [found] = await db.query<{ there: boolean; extension: string | null; offered: string | null }>(
    `select pg_catalog.to_regnamespace('rafiki') is not null as there,
       (select extversion from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'rafiki') as extension,
       (select default_version from pg_catalog.pg_available_extensions where name operator(pg_catalog.=) 'rafiki') as offered`,
  );
  const { there = false, extension = null, offered = null } = found ?? {};
  const applied = there ? await appliedFiles(db) : [];
  const installed = await (there
    ? extension === null
      ? upgradeScript(db, applied)
      : upgradeExtension(db, extension, offered)
    : offered === null
      ? runScript(db, readParts().incremental).then((): Installed => 'as a script')
      : createExtension(db, offered));
  await forgetForeignServer(db);
  return installed;
}

async function createExtension(db: Installer, offered: string): Promise<Installed> {
  if (offered !== version) throw otherFiles(offered);
  await db.query('create extension rafiki cascade');
  return 'as an extension';
}

async function upgradeExtension(db: Installer, present: string, offered: string | null): Promise<Installed> {
  if (present === version) return 'there already';
  if (offered !== version) throw otherFiles(offered);
  await db.query('alter extension rafiki update');
  return 'upgraded';
}

const otherFiles = (offered: string | null): EnvironmentUnfit =>
  new EnvironmentUnfit(`PostgreSQL offers another version of the extension rafiki than ${version}`, {
    detail: `It has ${offered ?? 'none'}.`,
    hint: `Copy the files of ${path.join(extensionDir, 'extension')} to where it looks for extensions.`,
  });

async function upgradeScript(db: Installer, applied: readonly string[]): Promise<Installed> {
  const { incremental, build } = readParts();
  const missing = incremental.filter(({ name }) => !applied.includes(name));
  if (missing.length === 0) {
    const [row] = await db.query<{ build: string }>('select rafiki._build() as build');
    if (row?.build === build) return 'there already';
  }
  await runScript(db, missing);
  return 'upgraded';
}

/** The incremental files that the database has had. Refuses one with files that this version does not know. */
async function appliedFiles(db: Installer): Promise<string[]> {
  const [ledger] = await db.query<{ there: boolean }>(
    `select pg_catalog.to_regclass('rafiki.migration') is not null as there`,
  );
  const applied = ledger?.there
    ? (await db.query<{ name: string }>('select name from rafiki.migration')).map(({ name }) => name)
    : ['0001-tables']; // 0.1.0 had no ledger
  const { incremental } = readParts();
  const strange = applied.find((name) => !incremental.some((known) => known.name === name));
  if (strange === undefined) return applied;
  throw new EnvironmentUnfit(`the database was changed by a newer version of rafiki than ${version}`, {
    detail: `This one does not know ${strange}.`,
    hint: 'Run the newest version everywhere.',
  });
}

async function runScript(db: Installer, incremental: Parts['incremental']): Promise<void> {
  const { prologue, idempotent } = readParts();
  const script = [prologue, ...incremental.map(({ text }) => text), idempotent].join('\n');
  await db.transaction((tx) => tx.query(script));
}

/** A restored dump of 0.1.0 has the foreign server of its original, which rafiki_owner could not change. */
async function forgetForeignServer(db: Installer): Promise<void> {
  const [foreign] = await db.query<{ owner: string }>(
    `select pg_catalog.pg_get_userbyid(srvowner) as owner from pg_catalog.pg_foreign_server
     where srvname operator(pg_catalog.=) 'rafiki_bridge'`,
  );
  if (foreign !== undefined && foreign.owner !== 'rafiki_owner') await db.query('drop server rafiki_bridge cascade');
}

function readParts(): Parts {
  const file = path.join(extensionDir, 'parts.json');
  if (!existsSync(file)) throw new EnvironmentUnfit(`there is no ${file}`, { hint: 'Run npm run build.' });
  return JSON.parse(readFileSync(file, 'utf8')) as Parts;
}
