import { InvalidParameter } from '../../errors/errors.ts';
import type { SettingValues } from '../settings/read.ts';

export function requireUrl({ databaseUrl }: SettingValues<'databaseUrl'>): string {
  if (databaseUrl !== undefined) return databaseUrl;
  throw new InvalidParameter('no database given', { hint: 'Pass --database-url or set DATABASE_URL.' });
}
