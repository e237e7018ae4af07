import path from 'node:path';
import { Database } from '../db/database.ts';
import { createLogger } from '../runtime/logger.ts';
import { upOptions, upSettings } from './commands/up-options.ts';
import { install } from './install/install.ts';
import { readSettings } from './settings/read.ts';
import { Up } from './up/up.ts';

/** The flags of `rafiki up`, with the same defaults. */
export interface RafikiOptions {
  /** Folder of database, cache and logs; used by one process at a time. */
  dataDir: string;
  /** An existing database; absent: an embedded PostgreSQL 18 is started. */
  databaseUrl?: string;
  /** Port of the embedded PostgreSQL. */
  port?: number;
  bridgeHost?: string;
  bridgePort?: number;
  /** Port of the HTTP server. */
  httpPort?: number;
  /** Number of worker processes; default: one per core. */
  workers?: number;
}

export interface StartedRafiki {
  /** URL of the user that owns the database, with its password; or the given URL. */
  readonly databaseUrl: string;
  readonly bridgePort: number;
  /** Of the HTTP server. */
  readonly httpUrl: string | undefined;
  /** Resolves when nothing is running any more. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL, coordinator, workers and serving as child processes, and resolves when they are ready; if one
 * fails, the others are stopped. They end with this process. The environment's settings (`RAFIKI_*`) apply as for the
 * command.
 *
 * @throws RafikiError 58000 if the machine, the folder or the database cannot be used, 22023 for an invalid setting
 */
export async function up({ dataDir, httpPort, ...own }: RafikiOptions): Promise<StartedRafiki> {
  const given = readSettings([...upSettings, 'readerUrl', 'log'], []);
  const { readerUrl, log = 'warn' } = given.settings;
  const options = { ...upOptions(given), readerUrl, ...own, dataDir: path.resolve(dataDir) };
  if (options.http !== undefined && httpPort !== undefined) options.http.port = httpPort;
  const started = new Up(options, createLogger('up', log));
  await started.start();
  const { databaseUrl, bridgePort, httpUrl } = started;
  return { databaseUrl, bridgePort, httpUrl, stop: () => started.stop() };
}

/**
 * Installs or upgrades the SQL side of a database, as does `rafiki install`; resolves with what was done: "as an
 * extension", "upgraded", …
 *
 * @throws RafikiError 58000, with the statements that an administrator has to run, if the role lacks rights
 */
export async function installInto(databaseUrl: string): Promise<string> {
  const logger = createLogger('install', 'warn');
  const database = new Database({ url: databaseUrl, application: 'rafiki install', installs: true, logger });
  try {
    return await install(database);
  } finally {
    await database.stop();
  }
}
