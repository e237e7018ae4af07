import { Worker } from 'node:worker_threads';
import { computing } from '../../engine/computing.ts';
import { BadData, EnvironmentUnfit, ShuttingDown } from '../../errors/errors.ts';
import type { ErrorReport, RafikiError } from '../../errors/rafiki-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import type { Subset } from '../policies/policy.ts';
import type { MemberOutput } from './device.ts';
import { type Job, JobQueue } from './job-queue.ts';
import type { EnsembleFiles } from './replica.ts';
import { type Report, type ThreadData, type ThreadOrder, textSeparator } from './thread-orders.ts';
import type { Work } from './work.ts';

/** Node 20 cannot start a thread from TypeScript: without the build, batches run on the main thread. */
const threadFile = new URL('./inference-thread.js', import.meta.url);
const built = !import.meta.url.endsWith('.ts');

/** A thread that dies so often without an answer in between is not started again. */
const MAX_RESTARTS = 3;

/** A batch, and for whom it runs where several roles ask. */
export interface ThreadRun {
  inputs: readonly string[];
  subset: Subset;
  work?: Work | undefined;
}

interface ThreadBatch extends Job {
  order: ThreadOrder;
  resolve(outputs: MemberOutput[]): void;
  reject(error: unknown): void;
}

/** What runs batches beside the event loop. */
export type ThreadPool = Pick<InferenceThreads, 'size' | 'load' | 'spread' | 'run' | 'unload'>;

/**
 * Threads that run batches beside the event loop. A model is on one of them or on all; a job goes to the first of those that is
 * free. Where several roles ask, the one whose batches had least of the threads' time comes first, and the first thread runs
 * none of those that take long: so there is one for everybody else.
 */
export class InferenceThreads implements Service {
  readonly size: number;
  readonly #logger: Logger;
  readonly #models = new Map<number, EnsembleFiles>();
  readonly #queue = new JobQueue<ThreadBatch>();
  #threads: Thread[] = [];
  #nextId = 1;
  #stopped = false;
  /** Of the last thread, when there is none any more. */
  #lastDeath: Error | undefined;

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
    for (const job of this.#queue.takeAll()) job.reject(stopping);
    await Promise.all(this.#threads.map((thread) => thread.stop(stopping)));
    this.#threads = [];
  }

  /** Whether no batch runs. */
  get isIdle(): boolean {
    return this.#threads.every((thread) => thread.idle);
  }

  /** Loads an ensemble on the thread with the least to do; the number names it from then on. */
  async load(files: EnsembleFiles): Promise<number> {
    const id = this.#nextId++;
    this.#models.set(id, files);
    const [first] = [...this.#threads].sort((a, b) => a.waiting - b.waiting || a.holds.size - b.holds.size);
    try {
      if (first !== undefined) await this.#loadOn(first, id, files);
    } catch (error) {
      this.#models.delete(id);
      throw error;
    }
    return id;
  }

  /** Loads it on the others too, one after the other, so that the rest go on. */
  async spread(id: number): Promise<void> {
    const files = this.#models.get(id);
    for (const thread of files === undefined ? [] : [...this.#threads]) {
      if (!thread.holds.has(id)) await this.#loadOn(thread, id, files as EnsembleFiles);
    }
  }

  async #loadOn(thread: Thread, id: number, files: EnsembleFiles): Promise<void> {
    thread.holds.add(id);
    try {
      await thread.order({ kind: 'load', id, files });
    } catch (error) {
      thread.holds.delete(id);
      throw error;
    } finally {
      this.#next();
    }
  }

  async unload(id: number): Promise<void> {
    this.#models.delete(id);
    const holders = this.#threads.filter((thread) => thread.holds.delete(id));
    await Promise.all(holders.map((thread) => thread.order({ kind: 'unload', id }).catch(() => [])));
    this.#next();
  }

  run(id: number, { inputs, subset, work }: ThreadRun): Promise<MemberOutput[]> {
    return new Promise((resolve, reject) => {
      if (this.#lastDeath !== undefined) throw died(this.#lastDeath);
      const order: ThreadOrder = { kind: 'run', id, inputs: inputs.join(textSeparator), subset };
      this.#queue.push({ id, order, work, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    for (const thread of this.#threads) {
      if (!thread.idle) continue;
      const isKept = thread === this.#threads[0];
      const job = this.#queue.take({ holds: thread.holds, isKept }, (id) =>
        this.#threads.some((other) => other !== thread && other.holds.has(id)),
      );
      if (job === undefined) continue;
      const startedMs = performance.now();
      job.work?.begins();
      thread
        .order(job.order)
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#queue.ran(job, performance.now() - startedMs);
          this.#next();
        });
    }
  }

  #create(restarts: number): Thread {
    const thread = new Thread((cause) => {
      if (this.#stopped) return;
      this.#threads = this.#threads.filter((other) => other !== thread);
      this.#logger.error({ err: cause.message, restarts }, 'an inference thread died');
      const next = thread.answered > this.#models.size ? 0 : restarts + 1;
      if (next <= MAX_RESTARTS) this.#threads.push(this.#create(next));
      const heir = this.#threads.at(-1);
      if (heir !== undefined) {
        this.#inherit(heir, thread.holds);
        return;
      }
      this.#lastDeath = cause;
      for (const job of this.#queue.takeAll()) job.reject(died(cause));
    });
    return thread;
  }

  /** What a dead thread held comes onto another one; where it cannot be loaded, batches fail with the reason. */
  #inherit(heir: Thread, ids: ReadonlySet<number>): void {
    for (const id of ids) {
      const files = this.#models.get(id);
      if (files === undefined || heir.holds.has(id)) continue;
      heir.holds.add(id);
      heir.order({ kind: 'load', id, files }).catch(() => undefined);
    }
    heir.whenIdle(() => this.#next());
  }
}

/** One worker thread; its orders are answered in turn. */
class Thread {
  readonly #worker = new Worker(threadFile, { workerData: { device: computing().device } satisfies ThreadData });
  readonly #orders: { resolve(outputs: MemberOutput[]): void; reject(error: unknown): void }[] = [];
  #onIdle: (() => void) | undefined;
  /** Models that it has, or will have when its orders are done. */
  readonly holds = new Set<number>();
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
      if (this.idle) this.#worker.ref(); // or the process would end while it waits for nothing else
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
