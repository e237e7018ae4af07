import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ShuttingDown } from '../../errors/errors.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Service } from '../../runtime/service.ts';

export interface ChildSpec {
  /** For the log. */
  name: string;
  /** Arguments of the `rafiki` command. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
}

const RESTART = { firstMs: 200, maxMs: 5_000 };
/** A child that lived this long starts again without delay. */
const HEALTHY_MS = 30_000;
/** Longest a child may take to stop before it is killed; a worker writes a checkpoint meanwhile. */
const STOP_TIMEOUT_MS = 20_000;

/** How often a child says that it runs, and we look whether it did. */
const ALIVE_MS = 1_000;
/** In looks, not in seconds: a machine that slept has silenced nobody. So long a loop of ours is never busy. */
const MAX_SILENT = 10;

/** What a child that `up` started tells it. */
type ChildMessage = 'ready' | 'alive';

/** Tells whoever started this process, if that was {@link SupervisedChild}. */
export const tellSupervisor = (message: ChildMessage): void => void process.send?.(message);

/** From now on this process says that its event loop runs. */
export function sayAlive(): void {
  setInterval(() => tellSupervisor('alive'), ALIVE_MS).unref();
}

/**
 * Keeps one child process of ours alive: starts it again, ever more slowly, whenever it ends. One that says nothing any more is killed:
 * a server that hangs would hold whoever connects to it.
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

  /** Returns once the child said that it is ready; a child that ends before that is started again. */
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
    // The IPC channel carries 'ready', and its closing tells the child that its parent is gone.
    const child = spawn(process.execPath, [this.#entry, ...args], { env, stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log); // the child has its own
    this.#child = child;
    let silent = 0;
    let watch: NodeJS.Timeout | undefined;
    const look = (): void => {
      if (++silent < MAX_SILENT) return;
      this.#logger.warn({ child: name, pid: child.pid }, 'child hangs, it is killed');
      child.kill('SIGKILL');
    };
    child.on('message', (message: ChildMessage) => {
      silent = 0;
      watch ??= setInterval(look, ALIVE_MS); // not before: to start may take a busy machine longer
      if (message === 'ready') this.#onReady?.();
    });
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      this.#child = undefined;
      if (this.#stopping) return;
      if (performance.now() - startedMs > HEALTHY_MS) this.#restarts = 0;
      const delayMs = backoffMs(this.#restarts++, RESTART, this.#rng);
      this.#logger.warn({ child: name, code, signal, delayMs: Math.round(delayMs) }, 'child ended, starting it again');
      this.#timer = setTimeout(() => this.#spawn(), delayMs);
    });
  }
}
