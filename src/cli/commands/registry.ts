import type { Command } from './command.ts';

/** How each command is loaded, in the order of the help: a process loads the modules of its own command only, which a start mostly consists of. */
const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up.ts')).upCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
  train: async () => (await import('../terminal/train-file.ts')).trainFileCommand,
  predict: async () => (await import('../terminal/predict-file.ts')).predictFileCommand,
  import: async () => (await import('../terminal/import-file.ts')).importFileCommand,
  status: async () => (await import('../terminal/watch.ts')).statusCommand,
  top: async () => (await import('../terminal/watch.ts')).topCommand,
  logs: async () => (await import('../terminal/logs.ts')).logsCommand,
  install: async () => (await import('./install.ts')).installCommand,
  uninstall: async () => (await import('./install.ts')).uninstallCommand,
  verifier: async () => (await import('./verifier.ts')).verifierCommand,
  'rotate-secret': async () => (await import('./rotate-secret.ts')).rotateSecretCommand,
  coordinator: async () => (await import('./services/coordinator.ts')).coordinatorCommand,
  worker: async () => (await import('./services/worker.ts')).workerCommand,
  serve: async () => (await import('./services/serve.ts')).serveCommand,
  http: async () => (await import('./services/http.ts')).httpCommand,
  encoder: async () => (await import('./encoder.ts')).encoderCommand,
  bench: async () => (await import('./bench.ts')).benchCommand,
  version: async () => (await import('./version.ts')).versionCommand,
  completion: async () => {
    const { completionOf } = await import('../terminal/completion.ts');
    return completionOf(() => loaded(Object.entries(loaders).filter(([name]) => name !== 'completion')));
  },
};

export const commandNames: readonly string[] = Object.keys(loaders);

/** Undefined if there is none of that name. */
export const loadCommand = (name: string): Promise<Command> | undefined =>
  new Map(Object.entries(loaders)).get(name)?.();

/** All commands by their names, in the order of the help. */
export const allCommands = (): Promise<Readonly<Record<string, Command>>> => loaded(Object.entries(loaders));

const loaded = async (some: readonly (readonly [string, () => Promise<Command>])[]): Promise<Record<string, Command>> =>
  Object.fromEntries(await Promise.all(some.map(async ([name, load]) => [name, await load()] as const)));
