import { parseArgs } from 'node:util';
import { InvalidParameter } from '../../errors/errors.ts';
import type { Kind } from './kinds.ts';
import { type SettingKey, type SettingSpec, settingsTable } from './table.ts';

type ValueOf<S extends SettingSpec> =
  S['kind'] extends Kind<infer T> ? (S extends { default: string } ? T : T | undefined) : never;

export type SettingValues<N extends SettingKey> = { readonly [K in N]: ValueOf<(typeof settingsTable)[K]> };

export interface Given<N extends SettingKey> {
  settings: SettingValues<N>;
  /** Positional arguments. */
  words: readonly string[];
  /** For child processes: includes the values of flags. */
  environment: NodeJS.ProcessEnv;
}

/**
 * Reads the settings: flag, then environment, then default. An empty variable counts as unset; an empty flag is
 * refused.
 */
export function readSettings<N extends SettingKey>(
  names: readonly N[],
  args: readonly string[],
  { env = process.env, takesWords = false } = {},
): Given<N> {
  const { values, positionals } = readFlags(names, args, takesWords);
  const environment = { ...env };
  const settings: Record<string, unknown> = {};
  for (const name of names) {
    const setting: SettingSpec = settingsTable[name];
    const { flag = '', variable = '' } = setting;
    const given = values[flag];
    const byFlag = Array.isArray(given) ? given.join('\n') : given;
    if (typeof byFlag === 'string') {
      settings[name] = parsed(setting, byFlag);
      if (variable !== '') environment[variable] = byFlag;
    } else {
      const text = byFlag === true ? 'true' : env[variable] || setting.default;
      settings[name] = text === undefined ? undefined : parsed(setting, text);
    }
  }
  return { settings: settings as SettingValues<N>, words: positionals, environment };
}

/** The environment with changed settings, given as texts; undefined removes one. */
export function withSettings(
  environment: NodeJS.ProcessEnv,
  texts: { readonly [K in SettingKey]?: string | undefined },
): NodeJS.ProcessEnv {
  const changed = { ...environment };
  for (const [name, text] of Object.entries(texts)) {
    const { variable = '' }: SettingSpec = settingsTable[name as SettingKey];
    changed[variable] = text;
  }
  return changed;
}

/** Whether errors are shown with stack traces. An invalid level is reported elsewhere. */
export const isDebugging = (): boolean => process.env[settingsTable.log.variable] === 'debug';

function parsed(setting: SettingSpec, text: string): unknown {
  const { flag, variable, kind } = setting;
  const value = text === '' ? undefined : kind.parse(text);
  if (value !== undefined) return value;
  const names = [...(flag === undefined ? [] : [`--${flag}`]), ...(variable === undefined ? [] : [variable])];
  throw new InvalidParameter(`${names.join(', or ')}${names.length > 1 ? ',' : ''} is not ${kind.description}`, {
    detail: kind.isSecret ? 'It is not shown, because it may contain a password.' : `It is "${text}".`,
    hint: `Write ${kind.example}.`,
  });
}

function readFlags(names: readonly SettingKey[], args: readonly string[], takesWords: boolean) {
  const flags = names.flatMap((name) => {
    const { flag, kind }: SettingSpec = settingsTable[name];
    const type = kind.label === undefined ? 'boolean' : 'string';
    return flag === undefined ? [] : [[flag, { type, multiple: kind.isList === true }] as const];
  });
  try {
    return parseArgs({ args: [...args], allowPositionals: takesWords, options: Object.fromEntries(flags) });
  } catch (cause) {
    throw new InvalidParameter(cause instanceof Error ? cause.message : String(cause), {
      hint: 'rafiki COMMAND --help lists the flags that a command takes.',
      cause,
    });
  }
}
