import { Worker } from 'node:worker_threads';
import { BadData, EnvironmentUnfit, ShuttingDown } from '../errors/errors.ts';
import type { ErrorReport, RafikiError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { MemberOutput } from './device.ts';
import { Fifo } from './fifo.ts';
import { type Order, type Report, textSeparator } from './inference-thread.ts';
import type { Subset } from './policies/policy.ts';
import type { EnsembleFiles } from './replica.ts';

/** Node 20 cannot start a thread from TypeScript: without the build, batches run on the main thread. */
const threadFile = new URL('./inference-thread.js', import.meta.url);
const built = !import.meta.url.endsWith('.ts');

/** A thread that dies so often without an answer in between is not started again. */
const MAX_RESTARTS = 3;

interface Job {
  order: Order;
  resolve(outputs: MemberOutput[]): void;
  reject(error: unknown): void;
}

/** What runs batches beside the event loop. */
export type ThreadPool = Pick<InferenceThreads, 'size' | 'load' | 'run' | 'unload'>;

/** Threads that run batches beside the event loop. Each holds every model; a job goes to the first that is free. */
export class InferenceThreads implements Service {
  readonly size: number;
  readonly #logger: Logger;
  readonly #models = new Map<number, EnsembleFiles>();
  readonly #queue = new Fifo<Job>();
  #threads: Thread[] = [];
  #nextId = 1;
  #stopped = false;

  constructor({ threads, logger }: { threads: number; logger: Logger }) {
    this.size = built ? threads : 0;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#threads = Array.from({ length: this.size }, () => this.#create(0));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const stopping = new ShuttingDown('the prediction server is stopping');
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) job.reject(stopping);
    await Promise.all(this.#threads.map((thread) => thread.stop(stopping)));
    this.#threads = [];
  }

  /** Whether no batch runs. */
  get isIdle(): boolean {
    return this.#threads.every((thread) => thread.idle);
  }

  /** Loads an ensemble on one thread after the other, so that the rest go on; the number names it from then on. */
  async load(files: EnsembleFiles): Promise<number> {
    const id = this.#nextId++;
    this.#models.set(id, files);
    try {
      for (const thread of this.#threads) {
        await thread.order({ kind: 'load', id, files }).finally(() => this.#next());
      }
    } catch (error) {
      await this.unload(id);
      throw error;
    }
    return id;
  }

  async unload(id: number): Promise<void> {
    this.#models.delete(id);
    await Promise.all(this.#threads.map((thread) => thread.order({ kind: 'unload', id }).catch(() => [])));
    this.#next();
  }

  run(id: number, texts: readonly string[], subset: Subset): Promise<MemberOutput[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ order: { kind: 'run', id, texts: texts.join(textSeparator), subset }, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    for (const thread of this.#threads) {
      if (!thread.idle) continue;
      const job = this.#queue.shift();
      if (job === undefined) return;
      thread
        .order(job.order)
        .then(job.resolve, job.reject)
        .finally(() => this.#next());
    }
  }

  #create(restarts: number): Thread {
    const thread = new Thread((cause) => {
      if (this.#stopped) return;
      this.#threads = this.#threads.filter((other) => other !== thread);
      this.#logger.error({ err: cause.message, restarts }, 'an inference thread died');
      const next = thread.answered > this.#models.size ? 0 : restarts + 1;
      if (next <= MAX_RESTARTS) this.#replace(next);
      else if (this.#threads.length === 0) this.#failQueue(cause);
    });
    return thread;
  }

  #replace(restarts: number): void {
    const thread = this.#create(restarts);
    for (const [id, files] of this.#models) thread.order({ kind: 'load', id, files }).catch(() => undefined);
    this.#threads.push(thread);
    thread.whenIdle(() => this.#next());
  }

  #failQueue(cause: Error): void {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) job.reject(died(cause));
  }
}

/** One worker thread; its orders are answered in turn. */
class Thread {
  readonly #worker = new Worker(threadFile);
  readonly #orders: { resolve(outputs: MemberOutput[]): void; reject(error: unknown): void }[] = [];
  #onIdle: (() => void) | undefined;
  answered = 0;

  constructor(onDeath: (cause: Error) => void) {
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

  get idle(): boolean {
    return this.#orders.length === 0;
  }

  whenIdle(callback: () => void): void {
    if (this.idle) callback();
    else this.#onIdle = callback;
  }

  order(order: Order): Promise<MemberOutput[]> {
    return new Promise((resolve, reject) => {
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
      this.#onIdle?.();
      this.#onIdle = undefined;
    }
  }
}

/** What a thread could not do: for the input's sake, or for its own. */
function errorOf({ sqlstate, message, detail, hint }: ErrorReport): RafikiError {
  const options = { ...(detail === undefined ? {} : { detail }), ...(hint === undefined ? {} : { hint }) };
  return sqlstate === '22000' ? new BadData(message, options) : new EnvironmentUnfit(message, options);
}

const died = (cause: Error): EnvironmentUnfit =>
  new EnvironmentUnfit('an inference thread died', {
    detail: cause.message,
    hint: 'Ask again; see the log of serving.',
    cause,
  });
