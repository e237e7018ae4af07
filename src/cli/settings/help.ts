import type { Command } from '../commands/command.ts';
import { type SettingSpec, settingsTable } from './table.ts';

const WIDTH = 100;

/** The output of `rafiki --help`: all commands and settings. */
export function usage(commands: Readonly<Record<string, Command>>): string {
  const list = Object.entries(commands).map(([name, { title }]) => [name, title]);
  return `usage: rafiki COMMAND [flags]

${columns(list)}

${settingsOf(Object.values(settingsTable))}
"rafiki COMMAND --help" shows the settings of a command.
`;
}

/** The output of `rafiki COMMAND --help`. */
export function commandUsage(name: string, { title, settings }: Command): string {
  return `usage: rafiki ${name} [flags]

  ${title}

${settingsOf(settings.map((setting) => settingsTable[setting]))}`;
}

function settingsOf(settings: readonly SettingSpec[]): string {
  const all = settings.filter(({ isHidden }) => isHidden !== true);
  const flags = all.flatMap(({ flag, variable = '', kind: { label }, ...rest }) =>
    flag === undefined ? [] : [[label === undefined ? `--${flag}` : `--${flag} ${label}`, variable, explained(rest)]],
  );
  const variables = all.flatMap(({ flag, variable, kind: { label }, ...rest }) =>
    flag !== undefined || variable === undefined ? [] : [[`${variable}=${label}`, explained(rest)]],
  );
  const parts = [
    ...(flags.length > 0 ? [`flags, which take precedence over their environment variables\n${columns(flags)}\n`] : []),
    ...(variables.length > 0 ? [`environment variables\n${columns(variables)}\n`] : []),
  ];
  return parts.join('\n');
}

/** The description of a setting and its default. */
function explained({
  about,
  default: text,
  otherwise = text,
}: Pick<SettingSpec, 'about' | 'default' | 'otherwise'>): string {
  return otherwise === undefined ? about : `${about} (default: ${otherwise})`;
}

/** Aligns rows in columns; a long last cell is wrapped. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const last = widths.length - 1;
  const indent = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 2);
  return rows
    .map((row) => {
      const head = row.slice(0, last).map((cell, i) => cell.padEnd((widths[i] ?? 0) + 2));
      return `  ${head.join('')}${wrapped(row[last] ?? '', WIDTH - indent).join(`\n${' '.repeat(indent)}`)}`;
    })
    .join('\n');
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
