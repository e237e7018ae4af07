import { Worker } from 'node:worker_threads';
import { computing } from '../../engine/computing.ts';
import { BadData, EnvironmentUnfit, NotSupported } from '../../errors/errors.ts';
import type { ErrorReport, RafikiError } from '../../errors/rafiki-error.ts';
import type { MemberOutput } from './device.ts';
import type { Report, ThreadData, ThreadOrder } from './thread-orders.ts';

/** Node 20 cannot start a thread from TypeScript: without the build, batches run on the main thread. */
const threadFile = new URL('./inference-thread.js', import.meta.url);
/** Whether this is the build. */
export const built = !import.meta.url.endsWith('.ts');

/** One worker thread; it executes its orders in sequence. */
export class ThreadHandle {
  readonly #worker: Worker;
  readonly #orders: { resolve(outputs: MemberOutput[]): void; reject(error: unknown): void }[] = [];
  #onIdle: (() => void) | undefined;
  /** Models that it has, or will have after its pending orders. */
  readonly loaded = new Set<number>();
  answered = 0;

  constructor(vectors: SharedArrayBuffer, onDeath: (cause: Error) => void) {
    const workerData = { device: computing().device, vectors } satisfies ThreadData;
    this.#worker = new Worker(threadFile, { workerData });
    let cause = new Error('the thread ended');
    this.#worker.on('message', (report: Report) => this.#settle(report));
    this.#worker.on('error', (error) => {
      cause = error;
    });
    this.#worker.on('exit', () => {
      for (const order of this.#orders.splice(0)) order.reject(died(cause));
      onDeath(cause);
    });
    this.#worker.unref();
  }

  get waiting(): number {
    return this.#orders.length;
  }

  get idle(): boolean {
    return this.#orders.length === 0;
  }

  whenIdle(callback: () => void): void {
    if (this.idle) callback();
    else this.#onIdle = callback;
  }

  order(order: ThreadOrder): Promise<MemberOutput[]> {
    return new Promise((resolve, reject) => {
      if (this.idle) this.#worker.ref(); // otherwise the process could exit before the reply
      this.#orders.push({ resolve, reject });
      this.#worker.postMessage(order);
    });
  }

  async stop(error: unknown): Promise<void> {
    for (const order of this.#orders.splice(0)) order.reject(error);
    await this.#worker.terminate();
  }

  #settle(report: Report): void {
    const order = this.#orders.shift();
    this.answered++;
    if (report.ok) order?.resolve(report.outputs);
    else order?.reject(errorOf(report.error));
    if (this.idle) {
      this.#worker.unref();
      this.#onIdle?.();
      this.#onIdle = undefined;
    }
  }
}

/** Converts the error of an order: the input's fault, the model's, or the thread's. */
function errorOf({ sqlstate, message, detail, hint }: ErrorReport): RafikiError {
  const options = { ...(detail === undefined ? {} : { detail }), ...(hint === undefined ? {} : { hint }) };
  if (sqlstate === '0A000') return new NotSupported(message, options);
  return sqlstate === '22000' ? new BadData(message, options) : new EnvironmentUnfit(message, options);
}

export const died = (cause: Error): EnvironmentUnfit =>
  new EnvironmentUnfit('an inference thread died', {
    detail: cause.message,
    hint: 'Repeat the call; the log of the prediction server has details.',
    cause,
  });
