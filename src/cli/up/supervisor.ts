import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { EnvironmentUnfit, ShuttingDown } from '../../errors/errors.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Service } from '../../runtime/service.ts';
import { lastLines, logSize } from './log-files.ts';

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
/** A child that ends so often, each time soon, before it was ever ready will not start: its port is taken, its device missing. */
const MAX_FAILED_STARTS = 3;
const LOG_LINES = 10;
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
  /** Until the child was ready once. */
  #starting: { resolve(): void; reject(reason: Error): void } | undefined;

  constructor(spec: ChildSpec, options: { entry: string; logFile: string; logger: Logger }) {
    this.#spec = spec;
    this.#entry = options.entry;
    this.#logFile = options.logFile;
    this.#logger = options.logger;
  }

  /** Resolves when the child is ready. One that ends before is restarted; throws {@link EnvironmentUnfit} if that does not help. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#spawn();
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#starting?.reject(new ShuttingDown(`${this.#spec.name} is stopping`));
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(killer);
  }

  #spawn(): void {
    const { name } = this.#spec;
    const attempt = { startedMs: performance.now(), logStart: logSize(this.#logFile) };
    let watch: NodeJS.Timeout | undefined;
    let isOver = false;
    const ended = (reason: object, pid?: number): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(watch);
      this.#child = undefined;
      if (!this.#stopping) this.#again({ ...attempt, pid, reason });
    };
    let child: ChildProcess;
    try {
      child = this.#open();
    } catch (error) {
      ended({ err: String(error) }); // the machine has no memory, descriptor or disk left
      return;
    }
    const { pid } = child;
    if (pid !== undefined) this.#child = child;
    child.on('error', (error) => {
      if (pid === undefined) ended({ err: String(error) });
      else this.#logger.warn({ child: name, err: String(error) }, 'the child cannot be reached'); // a signal or message
    });
    let silent = 0;
    const check = (): void => {
      if (++silent < MAX_MISSED) return;
      this.#logger.warn({ child: name, pid }, 'the child does not respond and is killed');
      child.kill('SIGKILL');
    };
    child.on('message', (message: ChildMessage) => {
      silent = 0;
      if (!isOver) watch ??= setInterval(check, ALIVE_MS); // only now, because starting may take long on a busy machine
      if (message !== 'ready') return;
      this.#starting?.resolve();
      this.#starting = undefined;
    });
    child.once('exit', (code, signal) => ended({ code, signal }, pid));
  }

  #open(): ChildProcess {
    const { args, env } = this.#spec;
    const log = openSync(this.#logFile, 'a', 0o600);
    try {
      // The IPC channel carries 'ready'; its closing shows the child that the parent has ended.
      return spawn(process.execPath, [this.#entry, ...args], { env, stdio: ['ignore', log, log, 'ipc'] });
    } finally {
      closeSync(log); // the child has its own descriptor
    }
  }

  #again({ startedMs, logStart, pid, reason }: EndedAttempt): void {
    const { name } = this.#spec;
    if (performance.now() - startedMs > HEALTHY_MS) this.#restarts = 0;
    if (this.#starting !== undefined && this.#restarts + 1 >= MAX_FAILED_STARTS) {
      const isWanted = (line: string): boolean => !line.startsWith('{') || line.includes(`"pid":${pid},`);
      const said = lastLines(this.#logFile, LOG_LINES, { from: logStart, isWanted });
      const detail = said === '' ? `It ended with ${JSON.stringify(reason)}.` : said;
      this.#starting.reject(new EnvironmentUnfit(`${name} does not start`, { detail, hint: `See ${this.#logFile}.` }));
      return;
    }
    const delayMs = backoffMs(this.#restarts++, RESTART, this.#rng);
    this.#logger.warn({ child: name, ...reason, delayMs: Math.round(delayMs) }, 'the child ended and is restarted');
    this.#timer = setTimeout(() => this.#spawn(), delayMs);
  }
}

interface EndedAttempt {
  startedMs: number;
  /** Size of the log before it. */
  logStart: number;
  /** Absent if no process was started. */
  pid: number | undefined;
  reason: object;
}
