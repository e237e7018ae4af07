import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { apiSchema } from '../../db/api-schema.ts';
import { Database } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { SettingValues } from '../settings/read.ts';
import { dataDirOr, USER_URL } from '../up/data-dir.ts';

/** Of the commands that act as a user: with the rights of the role in the URL, and no others. */
export const userSettings = ['databaseUrl', 'dataDir', 'xdgDataHome'] as const;

type UserSettings = SettingValues<(typeof userSettings)[number]>;

/**
 * Runs `work` in the given database, or else in that of `rafiki up` on this machine; `api` is the schema of the functions rafiki_*. The
 * session has the user's search path, so `work` names the schema of each function.
 */
export async function withUser<T>(
  settings: UserSettings,
  work: (database: Database, api: string) => Promise<T>,
): Promise<T> {
  const database = new Database({
    ...{ url: urlOf(settings), application: 'rafiki', maxConnections: 2, asUser: true },
    logger: createLogger('cli', 'error'),
  });
  try {
    return await work(database, await apiSchema(database));
  } finally {
    await database.stop();
  }
}

function urlOf(settings: UserSettings): string {
  if (settings.databaseUrl !== undefined) return settings.databaseUrl;
  const file = path.join(dataDirOr(settings), USER_URL);
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new EnvironmentUnfit('no database given', {
    detail: `There is no ${file}, which "rafiki up" writes.`,
    hint: 'Start "rafiki up", or pass --database-url URL.',
  });
}
