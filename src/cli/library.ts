import path from 'node:path';
import { Database } from '../db/database.ts';
import { createLogger } from '../runtime/logger.ts';
import { upOptions, upSettings } from './commands/up-options.ts';
import { install } from './install/install.ts';
import { readSettings } from './settings/read.ts';
import { Up } from './up/up.ts';

/** The flags of `rafiki up`; what is left out is found as there. */
export interface RafikiOptions {
  /** Where database, cache and logs are kept: one process on it at a time. */
  dataDir: string;
  /** A database to use; without it, up runs a PostgreSQL 18 of its own. */
  databaseUrl?: string;
  /** Of its own PostgreSQL. */
  port?: number;
  bridgeHost?: string;
  bridgePort?: number;
  /** Processes that train; one per core. */
  workers?: number;
}

export interface StartedRafiki {
  /** Of the user that owns the database, with his password; the one that was given, where one was. */
  readonly databaseUrl: string;
  readonly bridgePort: number;
  /** Returns when nothing is left running. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL, coordinator, workers and serving in processes of their own, and resolves when they are ready; what started ends
 * again where one cannot. They end with this process. Settings of the environment (`RAFIKI_*`) hold as for the command.
 *
 * @throws RafikiError 58000 where the machine, the folder or the database cannot be used, 22023 for a setting that is not allowed
 */
export async function up({ dataDir, ...own }: RafikiOptions): Promise<StartedRafiki> {
  const given = readSettings([...upSettings, 'readerUrl', 'log'], []);
  const { readerUrl, log = 'warn' } = given.settings;
  const options = { ...upOptions(given), readerUrl, ...own, dataDir: path.resolve(dataDir) };
  const started = new Up(options, createLogger('up', log));
  await started.start();
  return { databaseUrl: started.databaseUrl, bridgePort: started.bridgePort, stop: () => started.stop() };
}

/**
 * Brings the SQL side of a database to this version, as `rafiki install` does, and says how: "as an extension", "upgraded", …
 *
 * @throws RafikiError 58000 with the statements that an administrator has to run, where the role may not
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
