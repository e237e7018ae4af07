import * as kind from './kinds.ts';

/** Families from elsewhere: of workers. */
export const familyTable = {
  families: {
    flag: 'families',
    variable: 'RAFIKI_FAMILIES',
    kind: kind.filePaths('FILE'),
    about:
      'a module that exports model families, for the workers; may be given several times (in the variable: one on each line)',
  },
  familyCommand: {
    flag: 'family-command',
    variable: 'RAFIKI_FAMILY_COMMANDS',
    kind: kind.texts('COMMAND'),
    about: 'a shell command that is a model family, such as "python3 model.py", likewise',
  },
  path: {
    variable: 'PATH',
    kind: kind.text('…'),
    about: 'where the programs of these commands are',
    default: '/usr/local/bin:/usr/bin:/bin',
    isHidden: true,
  },
} as const;
