import { InvalidParameter } from '../../errors/errors.ts';
import { type Command, command } from '../commands/command.ts';
import { type SettingSpec, settingsTable } from '../settings/table.ts';

/** A line for a shell's start-up file, which completes commands and their flags; `commands` are all others. */
export const completionOf = (commands: () => Promise<Readonly<Record<string, Command>>>): Command =>
  command({
    title: 'prints what makes a shell complete commands and flags; completion bash|zsh|fish',
    takesWords: true,
    async run({ words: [shell] }) {
      const script = scripts[shell ?? ''];
      if (script === undefined) {
        throw new InvalidParameter(`completion takes a shell: ${Object.keys(scripts).join(', ')}`, {
          hint: 'For bash: echo \'eval "$(rafiki completion bash)"\' >> ~/.bashrc',
        });
      }
      process.stdout.write(script(await commands()));
    },
  });

const flagsOf = ({ settings }: Command): string[] => [
  ...settings.flatMap((name) => {
    const { flag, isHidden }: SettingSpec = settingsTable[name];
    return flag === undefined || isHidden === true ? [] : [`--${flag}`];
  }),
  '--help',
];

type CompletionScript = (commands: Readonly<Record<string, Command>>) => string;

const bash: CompletionScript = (commands) => `_rafiki() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_CWORD}:\${COMP_WORDS[1]}" in
    1:*) words='${Object.keys(commands).join(' ')}' ;;
${Object.entries(commands)
  .map(([name, it]) => `    *:${name}) words='${flagsOf(it).join(' ')}' ;;`)
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _rafiki rafiki
`;

const zsh: CompletionScript = (commands) => `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;

const fish: CompletionScript = (commands) =>
  Object.entries(commands)
    .flatMap(([name, it]) => [
      `complete -c rafiki -n __fish_use_subcommand -a ${name} -d '${it.title.replaceAll("'", '’')}'`,
      ...flagsOf(it).map((flag) => `complete -c rafiki -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}`),
    ])
    .join('\n')
    .concat('\n');

const scripts: Readonly<Record<string, CompletionScript>> = { bash, zsh, fish };
