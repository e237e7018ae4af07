import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Queryable } from '../db/database.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';

/** The folder to put into `extension_control_path`, as built by `npm run build`. */
export const extensionDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../dist/extension');

export type Installed = 'there already' | 'as an extension' | 'as a script';

/** Installs the SQL side unless it is there: as an extension where the server can see one, as a script elsewhere. */
export async function install(
  db: Queryable & { transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> },
): Promise<Installed> {
  const [row] = await db.query<{ there: boolean; offered: boolean }>(
    `select to_regnamespace('rafiki') is not null as there,
            exists (select from pg_available_extensions where name = 'rafiki') as offered`,
  );
  if (row?.there) return 'there already';
  if (row?.offered) {
    await db.query('create extension rafiki cascade');
    return 'as an extension';
  }
  const script = readFileSync(installScript(), 'utf8');
  await db.transaction((tx) => tx.query(script));
  return 'as a script';
}

function installScript(): string {
  const dir = path.join(extensionDir, 'extension');
  const script = readdirSync(dir).find((file) => file.endsWith('.sql'));
  if (!script) throw new EnvironmentUnfit(`there is no install script in ${dir}`, { hint: 'Run npm run build.' });
  return path.join(dir, script);
}
