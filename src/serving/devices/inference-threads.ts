import { createVectorMemory } from '../../encoders/vector-cache.ts';
import { serverStopping } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import type { Subset } from '../policies/policy.ts';
import type { BatchResult, ExplainedEnsemble } from './device.ts';
import { type EnsembleFiles, encodersOf } from './replica.ts';
import { built, died, ThreadHandle } from './thread-handle.ts';
import { type ThreadOrder, textSeparator } from './thread-orders.ts';

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
  #threads: ThreadHandle[] = [];
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
    const stopping = serverStopping();
    for (const batch of this.#waiting.splice(0)) batch.reject(stopping);
    await Promise.all(this.#threads.map((thread) => thread.stop(stopping)));
    this.#threads = [];
  }

  /** Whether no batch is running. */
  get isIdle(): boolean {
    return this.#threads.every((thread) => thread.idle);
  }

  /** Loads an ensemble on the thread with the fewest orders, of those that have its encoders if there are some. Returns its id. */
  async load(files: EnsembleFiles): Promise<number> {
    const id = this.#nextId++;
    this.#models.set(id, files);
    const encoders = encodersOf(files);
    const has = ({ loaded }: ThreadHandle): number => {
      const there = new Set(
        [...loaded]
          .flatMap((other) => encodersOf(this.#models.get(other) ?? { ...files, models: [] }))
          .map(({ key }) => key),
      );
      return encoders.filter(({ key }) => there.has(key)).length;
    };
    const [first] = [...this.#threads].sort(
      (a, b) => has(b) - has(a) || a.waiting - b.waiting || a.loaded.size - b.loaded.size,
    );
    try {
      if (first !== undefined) await this.#loadOn(first, id, files);
    } catch (error) {
      await this.unload(id); // if the thread died, its heir loads it
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

  async #loadOn(thread: ThreadHandle, id: number, files: EnsembleFiles): Promise<void> {
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

  #create(restarts: number): ThreadHandle {
    const thread = new ThreadHandle(this.#vectors, (cause) => {
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

  /** Loads a dead thread's models on another thread. Where one cannot be loaded, its waiting batches fail with the reason, and later ones without it. */
  #moveModels(target: ThreadHandle, ids: ReadonlySet<number>): void {
    for (const id of ids) {
      const files = this.#models.get(id);
      if (files === undefined || target.loaded.has(id)) continue;
      target.loaded.add(id);
      target
        .order({ kind: 'load', id, files })
        .catch((error: unknown) => {
          if (this.#threads.includes(target)) this.#failWaiting(id, error); // else its own heir has them
        })
        .finally(() => this.#next());
    }
    this.#next();
  }

  #failWaiting(model: number, error: unknown): void {
    if (this.#stopped) return;
    this.#logger.warn({ err: String(error) }, 'a model of a dead thread cannot be loaded on another one');
    for (const { id, reject } of this.#waiting) if (id === model) reject(error);
    this.#waiting = this.#waiting.filter(({ id }) => id !== model);
  }
}
