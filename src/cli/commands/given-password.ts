import { readFileSync } from 'node:fs';
import type { SettingValues } from '../settings/read.ts';

export const passwordSettings = ['servicePassword', 'servicePasswordFile'] as const;

/** The password of the service's logins; a file takes precedence. */
export function givenPassword(settings: SettingValues<(typeof passwordSettings)[number]>): string | undefined {
  const { servicePassword, servicePasswordFile: file } = settings;
  return file === undefined ? servicePassword : readFileSync(file, 'utf8').split('\n')[0]?.trim();
}
