import type { ChildProcess } from 'node:child_process';
import { type AnswerBounds, OrderChannel } from '../frames/order-channel.ts';
import { cpuMs } from './cpu-time.ts';
import { killGroup, type SpawnedProcess, type SpawnLimits, spawnLimited } from './spawn-limited.ts';

/** How often its time is looked at. */
const WATCH_MS = 250;
/** An order that computes for a second may take as many seconds: others may have the cores. */
const PATIENCE = 5;
/** The last characters of what it writes to stderr. */
const KEPT_CHARS = 2_000;
const MAX_STDERR_BYTES = 64 * 2 ** 20;
/** From the end of the process to that of its pipes, which what has left its group may hold open; and the other way round. */
const LAST_BYTES_MS = 500;

export type ProcessEnd =
  /** It took longer than an order may. */
  | { kind: 'late'; ms: number }
  /** It did something else than to answer. */
  | { kind: 'unruly'; cause: string }
  /** It ended by itself, or could not be started. */
  | { kind: 'died'; cause: string };

/** What an order is rejected with. */
export class ProcessEnded extends Error {
  readonly end: ProcessEnd;

  constructor(end: ProcessEnd) {
    super(end.kind === 'late' ? `it worked for ${end.ms} ms` : end.cause);
    this.name = 'ProcessEnded';
    this.end = end;
  }
}

export interface LimitedProcessOptions extends SpawnLimits {
  onEnd(end: ProcessEnd): void;
}

/** What an order may take, and what may be answered. */
export interface OrderLimits<T> extends AnswerBounds {
  /** Of computing, on all threads. */
  limitMs: number;
  /** Throws for what is no answer, since nothing is taken for granted: it may be any plain data. */
  read(answer: unknown): T;
}

interface PendingOrder {
  message: object;
  limits: OrderLimits<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * A child process for code that is not trusted: with an empty environment, limits of memory, files and time, a lower priority, and no
 * open file or connection of this one. It executes its orders one after another, and answers each with one message; whatever else it does
 * ends it. Where the system allows it, it is behind a fence; see `fence.ts`. It leads a process group, which ends with it.
 */
export class LimitedProcess {
  readonly #child: ChildProcess;
  readonly #pipe: SpawnedProcess['orders'];
  readonly #channel: OrderChannel | undefined;
  readonly #orders: PendingOrder[] = [];
  readonly #ended: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #end: ProcessEnd | undefined;
  #stderr = '';
  #stderrBytes = 0;

  static async start({ onEnd, ...limits }: LimitedProcessOptions): Promise<LimitedProcess> {
    return new LimitedProcess(await spawnLimited(limits), onEnd);
  }

  private constructor({ child, stderr, orders }: SpawnedProcess, onEnd: LimitedProcessOptions['onEnd']) {
    this.#child = child;
    this.#pipe = orders;
    this.#channel =
      orders &&
      new OrderChannel(orders, {
        onAnswer: (message) => this.#settle(message),
        onFault: (cause) => this.#stop({ kind: 'unruly', cause }),
      });
    stderr?.on('data', (text: Buffer) => this.#keep(text));
    this.#ended = new Promise((resolve) => {
      const ended = (cause: string): void => {
        this.#end ??= { kind: 'died', cause };
        clearInterval(this.#timer);
        for (const order of this.#orders.splice(0)) order.reject(new ProcessEnded(this.#end));
        resolve();
        onEnd(this.#end);
      };
      let last: NodeJS.Timeout | undefined;
      orders?.once('close', () => {
        last ??= setTimeout(() => killGroup(child), LAST_BYTES_MS);
      });
      child.once('exit', () => {
        killGroup(child); // what it has started may hold its pipes open
        clearTimeout(last);
        last = setTimeout(() => {
          for (const pipe of child.stdio) pipe?.destroy();
        }, LAST_BYTES_MS);
      });
      child.once('close', (code, signal) => {
        clearTimeout(last);
        ended(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`);
      });
      child.once('error', (error) => {
        if (child.pid === undefined) ended(`it could not be started: ${error.message}`);
      });
    });
  }

  /** What it last wrote to stderr, for a log. */
  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Its answer. Rejects with {@link ProcessEnded}: after `limitMs` of computing for the order, on all its threads, it is killed; also after
   * {@link PATIENCE} times as long if it waits, and where it does something else than to answer.
   */
  order<T>(message: object, limits: OrderLimits<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(new ProcessEnded(this.#end));
      this.#orders.push({ message, limits, resolve: (answer) => resolve(answer as T), reject });
      if (this.#orders.length === 1) this.#send();
    });
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.#ended;
  }

  #send(): void {
    const [order] = this.#orders;
    if (order === undefined) {
      this.#child.unref();
      this.#pipe?.unref();
      return;
    }
    this.#child.ref(); // otherwise this process could exit before the reply
    this.#pipe?.ref();
    this.#watch(order.limits.limitMs);
    try {
      this.#channel?.send(order.message, order.limits);
    } catch (error) {
      clearInterval(this.#timer); // it cannot be sent, which is no fault of the process
      this.#orders.shift();
      order.reject(error);
      this.#send();
    }
  }

  #watch(limitMs: number): void {
    const { pid = 0 } = this.#child;
    const [startedMs, computedMs] = [performance.now(), cpuMs(pid)];
    this.#timer = setInterval(() => {
      const waitedMs = performance.now() - startedMs;
      const ownMs = computedMs === undefined ? waitedMs : (cpuMs(pid) ?? waitedMs) - computedMs;
      if (ownMs < limitMs && waitedMs < PATIENCE * limitMs) return;
      this.#stop({ kind: 'late', ms: limitMs });
    }, WATCH_MS);
  }

  /** Throws what the reader of the answer throws. */
  #settle(message: unknown): void {
    const [order] = this.#orders;
    const answer = order?.limits.read(message);
    clearInterval(this.#timer);
    this.#orders.shift();
    order?.resolve(answer);
    this.#send();
  }

  #stop(end: ProcessEnd): void {
    clearInterval(this.#timer);
    this.#end ??= end;
    killGroup(this.#child);
  }

  #keep(text: Buffer): void {
    this.#stderrBytes += text.length;
    this.#stderr = (this.#stderr + text.toString('latin1')).slice(-KEPT_CHARS);
    if (this.#stderrBytes > MAX_STDERR_BYTES)
      this.#stop({ kind: 'unruly', cause: `it wrote more than ${MAX_STDERR_BYTES} bytes to stderr` });
  }
}
