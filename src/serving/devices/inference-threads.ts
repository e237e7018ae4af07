import { Worker } from 'node:worker_threads';
import { createVectorMemory } from '../../encoders/vector-cache.ts';
import { computing } from '../../engine/computing.ts';
import { BadData, EnvironmentUnfit, NotSupported, ShuttingDown } from '../../errors/errors.ts';
import type { ErrorReport, RafikiError } from '../../errors/rafiki-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import type { Subset } from '../policies/policy.ts';
import type { BatchResult, ExplainedEnsemble, MemberOutput } from './device.ts';
import type { EnsembleFiles } from './replica.ts';
import { type Report, type ThreadData, type ThreadOrder, textSeparator } from './thread-orders.ts';

/** Node 20 cannot start a thread from TypeScript: without the build, batches run on the main thread. */
const threadFile = new URL('./inference-thread.js', import.meta.url);
const built = !import.meta.url.endsWith('.ts');

/** A thread that dies this many times without an answer in between is not restarted. */
const MAX_RESTARTS = 3;

/** A batch that waits for a thread. */
interface ThreadBatch {
  /** The model's id. */
  id: number;
  order: ThreadOrder;
  resolve(result: BatchResult): void;
  reject(error: unknown): void;
}

/** The part of {@link InferenceThreads} that devices use. */
export type ThreadPool = Pick<InferenceThreads, 'size' | 'load' | 'spread' | 'isFree' | 'run' | 'explain' | 'unload'>;

/**
 * Threads that run batches outside the event loop. A model is on one thread or on all; a batch runs on the first of its
 * threads that is free. Only batches that measure a model wait here.
 */
export class InferenceThreads implements Service {
  readonly size: number;
  readonly #logger: Logger;
  readonly #models = new Map<number, EnsembleFiles>();
  readonly #vectors = createVectorMemory();
  #waiting: ThreadBatch[] = [];
  #threads: Thread[] = [];
  #nextId = 1;
  #stopped = false;
  /** Why the last remaining thread died. */
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
    for (const batch of this.#waiting.splice(0)) batch.reject(stopping);
    await Promise.all(this.#threads.map((thread) => thread.stop(stopping)));
    this.#threads = [];
  }

  /** Whether no batch is running. */
  get isIdle(): boolean {
    return this.#threads.every((thread) => thread.idle);
  }

  /** Loads an ensemble on the thread with the fewest orders. Returns its id. */
  async load(files: EnsembleFiles): Promise<number> {
    const id = this.#nextId++;
    this.#models.set(id, files);
    const [first] = [...this.#threads].sort((a, b) => a.waiting - b.waiting || a.loaded.size - b.loaded.size);
    try {
      if (first !== undefined) await this.#loadOn(first, id, files);
    } catch (error) {
      this.#models.delete(id);
      throw error;
    }
    return id;
  }

  /** Loads it on the other threads, one at a time, so that the rest keep answering. */
  async spread(id: number): Promise<void> {
    const files = this.#models.get(id);
    for (const thread of files === undefined ? [] : [...this.#threads]) {
      if (!thread.loaded.has(id)) await this.#loadOn(thread, id, files as EnsembleFiles);
    }
  }

  async #loadOn(thread: Thread, id: number, files: EnsembleFiles): Promise<void> {
    thread.loaded.add(id);
    try {
      await thread.order({ kind: 'load', id, files });
    } catch (error) {
      thread.loaded.delete(id);
      throw error;
    } finally {
      this.#next();
    }
  }

  async unload(id: number): Promise<void> {
    this.#models.delete(id);
    const holders = this.#threads.filter((thread) => thread.loaded.delete(id));
    await Promise.all(holders.map((thread) => thread.order({ kind: 'unload', id }).catch(() => [])));
    this.#next();
  }

  /** Whether a thread that has the model is free; also if all have died, so that its batches fail. */
  isFree(id: number): boolean {
    return this.#lastDeath !== undefined || this.#threads.some(({ idle, loaded }) => idle && loaded.has(id));
  }

  run(id: number, inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    return this.#batch({ kind: 'run', id, inputs: inputs.join(textSeparator), subset });
  }

  explain(id: number, orders: readonly string[], ensemble: ExplainedEnsemble): Promise<BatchResult> {
    return this.#batch({ kind: 'explain', id, orders: orders.join(textSeparator), ensemble });
  }

  #batch(order: ThreadOrder): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      if (this.#lastDeath !== undefined) throw died(this.#lastDeath);
      this.#waiting.push({ id: order.id, order, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    for (const thread of this.#threads) {
      if (!thread.idle) continue;
      const batch = this.#waiting.find(({ id }) => thread.loaded.has(id));
      if (batch === undefined) continue;
      this.#waiting = this.#waiting.filter((other) => other !== batch);
      const startedMs = performance.now();
      thread
        .order(batch.order)
        .then((outputs) => batch.resolve({ outputs, ms: performance.now() - startedMs }), batch.reject)
        .finally(() => this.#next());
    }
  }

  #create(restarts: number): Thread {
    const thread = new Thread(this.#vectors, (cause) => {
      if (this.#stopped) return;
      this.#threads = this.#threads.filter((other) => other !== thread);
      this.#logger.error({ err: cause.message, restarts }, 'an inference thread died');
      const next = thread.answered > this.#models.size ? 0 : restarts + 1;
      if (next <= MAX_RESTARTS) this.#threads.push(this.#create(next));
      const heir = this.#threads.at(-1);
      if (heir !== undefined) {
        this.#moveModels(heir, thread.loaded);
        return;
      }
      this.#lastDeath = cause;
      for (const batch of this.#waiting.splice(0)) batch.reject(died(cause));
    });
    return thread;
  }

  /** Loads a dead thread's models on another thread; if one cannot be loaded, its batches fail with the reason. */
  #moveModels(target: Thread, ids: ReadonlySet<number>): void {
    for (const id of ids) {
      const files = this.#models.get(id);
      if (files === undefined || target.loaded.has(id)) continue;
      target.loaded.add(id);
      target.order({ kind: 'load', id, files }).catch(() => undefined);
    }
    target.whenIdle(() => this.#next());
  }
}

/** One worker thread; it executes its orders in sequence. */
class Thread {
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

const died = (cause: Error): EnvironmentUnfit =>
  new EnvironmentUnfit('an inference thread died', {
    detail: cause.message,
    hint: 'Repeat the call; the log of the prediction server has details.',
    cause,
  });
