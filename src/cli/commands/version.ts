import { version as number } from '../../runtime/version.ts';
import { command } from './command.ts';

export const version = command({
  title: 'prints the version',
  run: async () => void process.stdout.write(`rafiki ${number}\n`),
});
