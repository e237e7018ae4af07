import { completionOf } from '../terminal/completion.ts';
import { importFileCommand } from '../terminal/import-file.ts';
import { logsCommand } from '../terminal/logs.ts';
import { predictFileCommand } from '../terminal/predict-file.ts';
import { trainFileCommand } from '../terminal/train-file.ts';
import { statusCommand, topCommand } from '../terminal/watch.ts';
import { benchCommand } from './bench.ts';
import type { Command } from './command.ts';
import { demoCommand } from './demo.ts';
import { encoderCommand } from './encoder.ts';
import { installCommand, uninstallCommand } from './install.ts';
import { rotateSecretCommand } from './rotate-secret.ts';
import { coordinatorCommand, httpCommand, serveCommand, workerCommand } from './services.ts';
import { upCommand } from './up.ts';
import { verifierCommand } from './verifier.ts';
import { versionCommand } from './version.ts';

const own: Readonly<Record<string, Command>> = {
  up: upCommand,
  demo: demoCommand,
  train: trainFileCommand,
  predict: predictFileCommand,
  import: importFileCommand,
  status: statusCommand,
  top: topCommand,
  logs: logsCommand,
  install: installCommand,
  uninstall: uninstallCommand,
  verifier: verifierCommand,
  'rotate-secret': rotateSecretCommand,
  coordinator: coordinatorCommand,
  worker: workerCommand,
  serve: serveCommand,
  http: httpCommand,
  encoder: encoderCommand,
  bench: benchCommand,
  version: versionCommand,
};

/** All commands, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = { ...own, completion: completionOf(own) };
