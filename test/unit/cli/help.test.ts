import { describe, expect, test } from 'vitest';
import { allCommands } from '../../../src/cli/commands/registry.ts';
import { commandUsage, usage } from '../../../src/cli/settings/help.ts';
import { type SettingKey, type SettingSpec, settingsTable } from '../../../src/cli/settings/table.ts';
import { settingsPage } from '../../support/settings-page.ts';

const commands = await allCommands();

const settings = Object.entries(settingsTable) as [SettingKey, SettingSpec][];
const namesOf = ({ flag, variable }: SettingSpec): string[] => [
  ...(flag === undefined ? [] : [`--${flag}`]),
  ...(variable === undefined ? [] : [variable]),
];
/** Whole words: RAFIKI_PARAMS, and not what begins with it. */
const has = (text: string, name: string): boolean => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text);

describe('rafiki --help', () => {
  const text = usage(commands);

  test('lists each command, and each setting but for the hidden ones', () => {
    for (const name of Object.keys(commands)) expect(text).toContain(`\n  ${name} `);
    const rest = text.split('flags, which')[1] ?? '';
    for (const [, setting] of settings) {
      for (const name of namesOf(setting)) expect([name, has(rest, name)]).toEqual([name, !setting.isHidden]);
    }
  });

  test('fits into 100 columns', () => {
    const all = [text, ...Object.entries(commands).map(([name, command]) => commandUsage(name, command))];
    expect(all.flatMap((each) => each.split('\n')).filter((line) => [...line].length > 100)).toEqual([]);
  });
});

test('rafiki COMMAND --help lists what the command reads, and nothing else', () => {
  const text = commandUsage('worker', commands['worker']!);
  expect(text).toContain('usage: rafiki worker [flags]\n\n  trains trials\n');
  expect(['--threads', 'RAFIKI_DATA_LIMIT', '--workers', 'RAFIKI_POLICY'].map((name) => has(text, name))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('each setting is read by a command', () => {
  const read = new Set(Object.values(commands).flatMap((command) => command.settings));
  expect(settings.map(([name]) => name).filter((name) => !read.has(name))).toEqual([]);
});

test('docs/settings.md is generated from the table', async () => {
  await expect(settingsPage()).toMatchFileSnapshot('../../../docs/settings.md');
});
