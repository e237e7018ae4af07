import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type Given, readSettings } from '../settings/read.ts';
import type { SettingKey } from '../settings/table.ts';

/** One word after `rafiki`. */
export interface Command {
  title: string;
  /** What it reads; it takes the flags of these alone. */
  settings: readonly SettingKey[];
  run(args: readonly string[]): Promise<void>;
}

interface CommandParts<N extends SettingKey> {
  title: string;
  settings?: readonly N[];
  /** Whether it takes arguments that are no flags. */
  takesWords?: boolean;
  run(given: Given<N | 'log'>): Promise<void>;
}

/** A command; each reads what is logged, too. */
export function command<N extends SettingKey = never>({
  title,
  settings: own = [],
  takesWords = false,
  run,
}: CommandParts<N>): Command {
  const settings = [...own, 'log' as const];
  return { title, settings, run: (args) => run(readSettings(settings, args, { takesWords })) };
}

export const loggerOf = (part: string, { log }: Given<'log'>['settings']): Logger => createLogger(part, log);
