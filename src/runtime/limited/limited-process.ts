import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { cpuMs } from './cpu-time.ts';
import { type LimitedCommandOptions, limitedCommand, lowerPriority } from './limited-command.ts';

/** Of JavaScript's objects: files and tensors are outside. */
const HEAP_MB = 512;
/** How often its time is looked at. */
const WATCH_MS = 250;
/** An order that computes for a second may take as many seconds: others may have the cores. */
const PATIENCE = 5;
/** The last characters of what it writes to stderr. */
const KEPT_CHARS = 2_000;

export type ProcessEnd =
  /** It took longer than an order may. */
  | { kind: 'late'; ms: number }
  /** It ended by itself, or could not be started. */
  | { kind: 'died'; cause: string };

export interface LimitedProcessOptions extends Omit<LimitedCommandOptions, 'heapMb'> {
  /** How far its priority is below that of this process. */
  nice: number;
  onEnd(end: ProcessEnd): void;
}

interface PendingOrder {
  message: object;
  limitMs: number;
  resolve(reply: unknown): void;
  reject(end: ProcessEnd): void;
}

/**
 * A child process for code that is not trusted: as {@link limitedCommand} limits it, with a limit of time, a lower priority, and no
 * open file or connection of this one. It executes its orders one after another, and answers each with one message.
 */
export class LimitedProcess {
  readonly #child: ChildProcess;
  readonly #orders: PendingOrder[] = [];
  readonly #ended: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #end: ProcessEnd | undefined;
  #stderr = '';

  constructor({ entry, memoryBytes, reads, nice, onEnd }: LimitedProcessOptions) {
    const { file, args, options } = limitedCommand({ entry, memoryBytes, heapMb: HEAP_MB, reads });
    const child = spawn(file, args, {
      serialization: 'advanced', // preserves typed arrays
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      ...options,
    });
    this.#child = child;
    child.unref();
    child.channel?.unref();
    (child.stderr as Socket | null)?.unref();
    child.stderr?.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString('latin1')).slice(-KEPT_CHARS);
    });
    lowerPriority(child.pid, nice);
    child.on('message', (reply) => this.#settle(reply));
    this.#ended = new Promise((resolve) => {
      const ended = (cause: string): void => {
        this.#end ??= { kind: 'died', cause };
        clearInterval(this.#timer);
        for (const order of this.#orders.splice(0)) order.reject(this.#end);
        resolve();
        onEnd(this.#end);
      };
      child.once('close', (code, signal) =>
        ended(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
      );
      child.once('error', (error) => {
        if (child.pid === undefined) ended(`it could not be started: ${error.message}`);
      });
    });
  }

  /** What it last wrote to stderr, for a log. */
  get stderr(): string {
    return this.#stderr;
  }

  get waiting(): number {
    return this.#orders.length;
  }

  /**
   * Its answer. Rejects with a {@link ProcessEnd}: after `limitMs` of computing for the order, on all its threads, it is killed; also after
   * {@link PATIENCE} times as long if it waits.
   */
  order(message: object, limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end as never);
      this.#orders.push({ message, limitMs, resolve, reject: reject as (end: ProcessEnd) => void });
      if (this.#orders.length === 1) this.#send();
    });
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #send(): void {
    const [order] = this.#orders;
    if (order === undefined) {
      this.#child.unref();
      this.#child.channel?.unref();
      return;
    }
    this.#child.ref(); // otherwise this process could exit before the reply
    this.#child.channel?.ref();
    this.#watch(order.limitMs);
    if (this.#child.connected) this.#child.send(order.message, () => undefined); // its end is reported anyway
  }

  #watch(limitMs: number): void {
    const { pid = 0 } = this.#child;
    const [startedMs, computedMs] = [performance.now(), cpuMs(pid)];
    this.#timer = setInterval(() => {
      const waitedMs = performance.now() - startedMs;
      const ownMs = computedMs === undefined ? waitedMs : (cpuMs(pid) ?? waitedMs) - computedMs;
      if (ownMs < limitMs && waitedMs < PATIENCE * limitMs) return;
      clearInterval(this.#timer);
      this.#end ??= { kind: 'late', ms: limitMs };
      this.#child.kill('SIGKILL');
    }, WATCH_MS);
  }

  #settle(reply: unknown): void {
    clearInterval(this.#timer);
    this.#orders.shift()?.resolve(reply);
    this.#send();
  }
}
