import { Worker } from 'node:worker_threads';
import { computing } from '../../engine/computing.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import type { ErrorReport, RafikiError } from '../../errors/rafiki-error.ts';
import { reportedError } from '../../errors/reported.ts';
import { isSource, ownFile } from '../../runtime/disk/own-file.ts';
import type { MemberOutput } from './device.ts';
import type { Report, ThreadData, ThreadOrder } from './thread-orders.ts';

const threadFile = ownFile(import.meta.url, './inference-thread');
/** Node 20 cannot start a thread from TypeScript: without the build, batches run on the main thread. */
export const built = !isSource(threadFile);

/** One worker thread; it executes its orders in sequence. */
export class ThreadHandle {
  readonly #worker: Worker;
  readonly #orders: { resolve(outputs: MemberOutput[]): void; reject(error: unknown): void }[] = [];
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
    else order?.reject(orderError(report.error));
    if (this.idle) this.#worker.unref();
  }
}

/** What the input or the model is at fault for, on any machine: bad data, parameters, what is not supported, corrupt parameters. */
const sameElsewhere = new Set(['22000', '22023', '0A000', 'XX001']);

/** The error of an order that a thread has reported; any other than the input's or the model's is this machine's. */
export function orderError(report: ErrorReport): RafikiError {
  if (sameElsewhere.has(report.sqlstate)) return reportedError(report);
  const { message, ...options } = report;
  return new EnvironmentUnfit(message, options);
}

export const died = (cause: Error): EnvironmentUnfit =>
  new EnvironmentUnfit('an inference thread died', {
    detail: cause.message,
    hint: 'Repeat the call; the log of the prediction server has details.',
    cause,
  });
