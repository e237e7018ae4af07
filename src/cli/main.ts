#!/usr/bin/env node
import { translatePostgresError } from '../db/postgres-error.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { commands } from './commands/registry.ts';
import { commandUsage, usage } from './settings/help.ts';
import { isDebugging } from './settings/read.ts';

/** How long a command that is done, or failed, may take to end what it had begun: whatever is left then must not keep us. */
const EXIT_MS = 5_000;

/** Exit codes: 0 done, 1 failed, 2 wrong usage. */
async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === '' || name === 'help' || name === '--help') {
    process.stdout.write(usage(commands));
    return name === '' ? 2 : 0;
  }
  const command = new Map(Object.entries(commands)).get(name === '--version' ? 'version' : name);
  if (!command) {
    throw new InvalidParameter(`there is no command "${name}"`, {
      hint: `Commands: ${Object.keys(commands).join(', ')}.`,
    });
  }
  if (args.includes('--help')) process.stdout.write(commandUsage(name, command));
  else await command.run(args);
  return 0;
}

// Whoever read what we print may be gone (EPIPE): what runs goes on, and ends in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { sqlstate, message, detail, hint } = reportError(translatePostgresError(error));
  const lines = [
    `rafiki: ${message} (${sqlstate})`,
    ...(detail ? [`DETAIL: ${detail}`] : []),
    ...(hint ? [`HINT: ${hint}`] : []),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
  if (isDebugging()) console.error(error);
  process.exitCode = error instanceof InvalidParameter ? 2 : 1;
}
setTimeout(() => process.exit(), EXIT_MS).unref();
