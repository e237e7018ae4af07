import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ShuttingDown } from '../errors/errors.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { createRng } from '../runtime/rng.ts';
import type { Service } from '../runtime/service.ts';

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

/** Keeps one child process of ours alive: starts it again, ever more slowly, whenever it ends. */
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
    child.on('message', (message) => {
      if (message === 'ready') this.#onReady?.();
    });
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      if (this.#stopping) return;
      if (performance.now() - startedMs > HEALTHY_MS) this.#restarts = 0;
      const delayMs = backoffMs(this.#restarts++, RESTART, this.#rng);
      this.#logger.warn({ child: name, code, signal, delayMs: Math.round(delayMs) }, 'child ended, starting it again');
      this.#timer = setTimeout(() => this.#spawn(), delayMs);
    });
  }
}
