import { version } from '../../runtime/version.ts';
import { command } from './command.ts';

export const versionCommand = command({
  title: 'prints the version',
  run: async () => void process.stdout.write(`rafiki ${version}\n`),
});
