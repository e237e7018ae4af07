import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ShuttingDown } from '../../errors/errors.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Service } from '../../runtime/service.ts';

export interface ChildSpec {
  /** Name in the log. */
  name: string;
  /** Arguments of the `rafiki` command. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
}

const RESTART = { firstMs: 200, maxMs: 5_000 };
/** A child that ran this long is restarted without delay. */
const HEALTHY_MS = 30_000;
/** Maximum time for a child to stop before it is killed; a worker writes a checkpoint meanwhile. */
const STOP_TIMEOUT_MS = 20_000;

/** Interval of the children's 'alive' messages, and of checking them. */
const ALIVE_MS = 1_000;
/**
 * Counted in checks instead of seconds, so that a machine's sleep does not count. No event loop is busy for that long.
 */
const MAX_MISSED = 10;

/** A message from a child to its supervisor. */
type ChildMessage = 'ready' | 'alive';

/** Sends a message to the supervisor, if there is one ({@link SupervisedChild}). */
export const notifySupervisor = (message: ChildMessage): void => void process.send?.(message);

/** Starts sending 'alive' messages, which show that the event loop runs. */
export function startAliveMessages(): void {
  setInterval(() => notifySupervisor('alive'), ALIVE_MS).unref();
}

/**
 * Restarts a child process whenever it ends, with increasing delays. Kills a child without 'alive' messages: a hanging
 * server would block its clients.
 */
export class SupervisedChild implements Service {
  readonly #spec: ChildSpec;
  readonly #entry: string;
  readonly #logFile: string;
  readonly #logger: Logger;
  readonly #rng = createRng(process.pid);
  #child: ChildProcess | undefined;
  #stopping = false;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;
  #onReady: (() => void) | undefined;

  constructor(spec: ChildSpec, options: { entry: string; logFile: string; logger: Logger }) {
    this.#spec = spec;
    this.#entry = options.entry;
    this.#logFile = options.logFile;
    this.#logger = options.logger;
  }

  /** Resolves when the child is ready; a child that ends before is restarted. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#onReady = resolve;
      this.#spawn();
      this.#failStart = reject;
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#failStart?.(new ShuttingDown(`${this.#spec.name} is stopping`));
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(killer);
  }

  #failStart: ((reason: Error) => void) | undefined;

  #spawn(): void {
    const { name, args, env } = this.#spec;
    const startedMs = performance.now();
    const log = openSync(this.#logFile, 'a', 0o600);
    // The IPC channel carries 'ready'; its closing shows the child that the parent has ended.
    const child = spawn(process.execPath, [this.#entry, ...args], { env, stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log); // the child has its own descriptor
    this.#child = child;
    let silent = 0;
    let watch: NodeJS.Timeout | undefined;
    const check = (): void => {
      if (++silent < MAX_MISSED) return;
      this.#logger.warn({ child: name, pid: child.pid }, 'the child does not respond and is killed');
      child.kill('SIGKILL');
    };
    child.on('message', (message: ChildMessage) => {
      silent = 0;
      watch ??= setInterval(check, ALIVE_MS); // only now, because starting may take long on a busy machine
      if (message === 'ready') this.#onReady?.();
    });
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      this.#child = undefined;
      if (this.#stopping) return;
      if (performance.now() - startedMs > HEALTHY_MS) this.#restarts = 0;
      const delayMs = backoffMs(this.#restarts++, RESTART, this.#rng);
      this.#logger.warn(
        { child: name, code, signal, delayMs: Math.round(delayMs) },
        'the child ended and is restarted',
      );
      this.#timer = setTimeout(() => this.#spawn(), delayMs);
    });
  }
}
