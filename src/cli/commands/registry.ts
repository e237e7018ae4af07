import { bench } from './bench.ts';
import type { Command } from './command.ts';
import { demo } from './demo.ts';
import { install, uninstall } from './install.ts';
import { rotateSecret } from './rotate-secret.ts';
import { coordinator, serve, worker } from './services.ts';
import { up } from './up.ts';
import { verifier } from './verifier.ts';
import { version } from './version.ts';

/** All commands, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  up,
  demo,
  install,
  uninstall,
  verifier,
  'rotate-secret': rotateSecret,
  coordinator,
  worker,
  serve,
  bench,
  version,
};
