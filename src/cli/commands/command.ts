import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type Given, readSettings } from '../settings/read.ts';
import type { SettingKey } from '../settings/table.ts';

/** A subcommand of `rafiki`. */
export interface Command {
  title: string;
  /** The settings that it reads, and whose flags it accepts. */
  settings: readonly SettingKey[];
  run(args: readonly string[]): Promise<void>;
}

interface CommandParts<N extends SettingKey> {
  title: string;
  settings?: readonly N[];
  /** Whether it takes positional arguments. */
  takesWords?: boolean;
  run(given: Given<N | 'log'>): Promise<void>;
}

/** Creates a command; each one also reads the log setting. */
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
