import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Database } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { SettingValues } from '../settings/read.ts';
import { dataDirOr } from '../up/data-dir.ts';
import { USER_URL } from '../up/up.ts';

/** Of the commands that act as a user: with the rights of the role in the URL, and no others. */
export const userSettings = ['databaseUrl', 'dataDir', 'xdgDataHome'] as const;

type UserSettings = SettingValues<(typeof userSettings)[number]>;

/** Runs `work` in the given database, or else in that of `rafiki up` on this machine. */
export async function withUser<T>(settings: UserSettings, work: (database: Database) => Promise<T>): Promise<T> {
  const database = new Database({
    ...{ url: urlOf(settings), application: 'rafiki', maxConnections: 2, asUser: true },
    logger: createLogger('cli', 'error'),
  });
  try {
    const [row] = await database.query<{ there: boolean }>(`select to_regclass('rafiki.studies') is not null as there`);
    if (row?.there !== true) {
      throw new EnvironmentUnfit('rafiki is not installed in this database, or this role may not see it', {
        hint: 'Install it with "rafiki install", or choose another database with --database-url.',
      });
    }
    return await work(database);
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
