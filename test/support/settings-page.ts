import { allCommands } from '../../src/cli/commands/registry.ts';
import { type SettingKey, type SettingSpec, settingsTable } from '../../src/cli/settings/table.ts';

const commands = await allCommands();

/** The content of docs/settings.md: the table of settings, with the commands that read each. */
export function settingsPage(): string {
  const rows = Object.entries(settingsTable).flatMap(([name, setting]) => {
    const { flag, variable, kind, about, default: text, otherwise = text, isHidden }: SettingSpec = setting;
    if (isHidden) return [];
    const said = flag === undefined ? '' : code(`--${flag}${kind.label === undefined ? '' : ` ${kind.label}`}`);
    const read = readBy(name as SettingKey);
    return [[said, variable === undefined ? '' : code(variable), about, otherwise ?? '', read]];
  });
  const head = ['flag', 'variable', 'meaning', 'default', 'read by'];
  return `# Settings

A flag takes precedence over its environment variable, and that over the default. An empty variable counts as not set; an invalid value is
an error before anything is done. \`rafiki --help\` lists all settings, \`rafiki COMMAND --help\` those of one command.

${[head, head.map(() => '---'), ...rows].map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')}

This page is made from \`src/cli/settings/table.ts\`: \`npx vitest run --project unit test/unit/cli/help.test.ts --update=all\`.
`;
}

const code = (text: string): string => `\`${text}\``;

function readBy(name: SettingKey): string {
  const readers = Object.entries(commands).filter(([, { settings }]) => settings.includes(name));
  return readers.length === Object.keys(commands).length ? 'all' : readers.map(([reader]) => reader).join(', ');
}
