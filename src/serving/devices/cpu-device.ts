import { setImmediate as nextTurn } from 'node:timers/promises';
import { largestBatch } from '../policies/latency-model.ts';
import type { Subset } from '../policies/policy.ts';
import { type BatchResult, isShort } from './device.ts';
import type { ThreadPool } from './inference-threads.ts';
import { InlineReplica } from './inline-replica.ts';
import { type EnsembleFiles, Replica, replicaBytes } from './replica.ts';
import type { LoadedDevice } from './resident-device.ts';

/** A batch this short runs on the event loop: passing it to a thread and back costs about as much. */
const INLINE_MS = 0.5;

/** Bytes in memory of a model that the event loop can load: a forest of 2 MB takes a tenth of a second, one of 9 MB 0.4 s. */
const INLINE_BYTES = 40 * 2 ** 20;

/** Batches on threads until it is considered again whether tiny ones are so short: the machine may have been busy. */
const RECONSIDER_BATCHES = 1024;

/** Copies of a model after growing: one per thread and one on the event loop. */
export const copiesOn = (pool: ThreadPool): number => pool.size + 1;

export interface CpuDeviceOptions {
  files: EnsembleFiles;
  pool: ThreadPool;
  /** Maximum number of rows that take at most `ms`; 0 if a single row takes longer. */
  rowsWithin(ms: number): number;
}

/** One model on the CPU: on one inference thread; after growing on all, with tiny batches on the calling thread. */
export class CpuDevice implements LoadedDevice {
  readonly #options: CpuDeviceOptions;
  readonly #id: number;
  /** Without threads, all batches run here. */
  #only: Replica | undefined;
  #inline: InlineReplica | undefined;
  inlineRows = 0;
  #hasGrown = false;
  #isReleased = false;
  #threadBatches = 0;

  private constructor(options: CpuDeviceOptions, id: number) {
    this.#options = options;
    this.#id = id;
  }

  static async load(options: CpuDeviceOptions): Promise<CpuDevice> {
    const { pool, files } = options;
    const device = new CpuDevice(options, await pool.load(files));
    if (pool.size === 0) {
      device.#only = await Replica.load(files);
      device.inlineRows = largestBatch;
    }
    return device;
  }

  get isFree(): boolean {
    const { pool } = this.#options;
    return pool.size === 0 || pool.isFree(this.#id);
  }

  async run(inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    if (this.#only !== undefined) return runHere(this.#only, inputs, subset);
    if (!this.#isTiny(inputs)) {
      const isDue = ++this.#threadBatches % RECONSIDER_BATCHES === 0;
      if (isDue && this.#hasGrown && this.#inline === undefined) void this.#loadInline().catch(() => undefined);
      return this.#options.pool.run(this.#id, inputs, subset);
    }
    await nextTurn(); // batch after batch in promises alone, the event loop would serve nobody else
    return this.#runInline(inputs, subset);
  }

  runNow(inputs: readonly string[], subset: Subset): BatchResult | undefined {
    return this.#isTiny(inputs) ? this.#runInline(inputs, subset) : undefined;
  }

  #isTiny(inputs: readonly string[]): boolean {
    return this.#inline !== undefined && inputs.length <= this.inlineRows && inputs.every(isShort);
  }

  #runInline(inputs: readonly string[], subset: Subset): BatchResult {
    const startedMs = performance.now();
    const outputs = this.#inline?.run(inputs, subset) ?? [];
    return { outputs, ms: performance.now() - startedMs };
  }

  async grow(): Promise<void> {
    const { pool } = this.#options;
    if (pool.size === 0) return;
    await pool.spread(this.#id);
    this.#hasGrown = true;
    await this.#loadInline();
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#options.pool.unload(this.#id);
    await this.#only?.release();
    this.#inline?.release();
  }

  /** Loading the copy blocks the event loop: only small and quick models have one. */
  async #loadInline(): Promise<void> {
    const { rowsWithin, files } = this.#options;
    const rows = replicaBytes(files) <= INLINE_BYTES ? rowsWithin(INLINE_MS) : 0;
    const inline = rows > 0 ? await InlineReplica.load(files) : undefined;
    if (inline === undefined) return;
    if (this.#isReleased || this.#inline !== undefined) {
      inline.release();
      return;
    }
    this.#inline = inline;
    this.inlineRows = rows;
  }
}

async function runHere(replica: Replica, inputs: readonly string[], subset: Subset): Promise<BatchResult> {
  const startedMs = performance.now();
  const outputs = await replica.run(inputs, subset);
  return { outputs, ms: performance.now() - startedMs };
}
