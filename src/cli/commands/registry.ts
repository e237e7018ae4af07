import { benchCommand } from './bench.ts';
import type { Command } from './command.ts';
import { demoCommand } from './demo.ts';
import { installCommand, uninstallCommand } from './install.ts';
import { rotateSecretCommand } from './rotate-secret.ts';
import { coordinatorCommand, httpCommand, serveCommand, workerCommand } from './services.ts';
import { upCommand } from './up.ts';
import { verifierCommand } from './verifier.ts';
import { versionCommand } from './version.ts';

/** All commands, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  up: upCommand,
  demo: demoCommand,
  install: installCommand,
  uninstall: uninstallCommand,
  verifier: verifierCommand,
  'rotate-secret': rotateSecretCommand,
  coordinator: coordinatorCommand,
  worker: workerCommand,
  serve: serveCommand,
  http: httpCommand,
  bench: benchCommand,
  version: versionCommand,
};
