#!/usr/bin/env node
import { translatePostgresError } from '../db/postgres-error.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { allCommands, commandNames, loadCommand } from './commands/registry.ts';
import { commandUsage, usage } from './settings/help.ts';
import { isDebugging } from './settings/read.ts';

/**
 * Maximum time between the end of a command and the exit: work that is still running then must not keep the process
 * alive.
 */
const EXIT_MS = 5_000;

/** Exit codes: 0 success, 1 failure, 2 wrong usage. */
async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === '' || name === 'help' || name === '--help') {
    process.stdout.write(usage(await allCommands()));
    return name === '' ? 2 : 0;
  }
  const command = await loadCommand(name === '--version' ? 'version' : name);
  if (!command) {
    throw new InvalidParameter(`there is no command "${name}"`, {
      hint: `Commands: ${commandNames.join(', ')}.`,
    });
  }
  if (args.includes('--help')) process.stdout.write(commandUsage(name, command));
  else await command.run(args);
  return 0;
}

// The reader of the output may have closed it (EPIPE): the command continues and ends regularly.
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
