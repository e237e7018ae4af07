import type { MemberOutput } from './device.ts';
import type { ThreadPool } from './inference-threads.ts';
import { largestBatch } from './latency-model.ts';
import type { Subset } from './policies/policy.ts';
import { type EnsembleFiles, Replica } from './replica.ts';
import type { LoadedDevice } from './resident-device.ts';

/** A batch this short runs on the event loop: posting it to a thread and back costs about as much. */
const INLINE_MS = 0.5;
/** Rows asked before the event loop loads a copy of its own: it stands still meanwhile, some ms. */
const ASKED_OFTEN = 256;

/** Threads that a model is loaded on, the event loop among them. */
export const copiesOn = (pool: ThreadPool): number => pool.size + 1;

export interface CpuDeviceOptions {
  files: EnsembleFiles;
  pool: ThreadPool;
  /** How many rows take at most so many milliseconds; 0 where one takes longer. */
  rowsWithin(ms: number): number;
}

/** One model on the CPU: batches on inference threads, and tiny ones on the calling thread once the model is asked often. */
export class CpuDevice implements LoadedDevice {
  readonly #options: CpuDeviceOptions;
  readonly #id: number;
  #here: Replica | undefined;
  #coming: Promise<void> | undefined;
  #asked = 0;
  inlineRows = 0;

  private constructor(options: CpuDeviceOptions, id: number) {
    this.#options = options;
    this.#id = id;
  }

  static async load(options: CpuDeviceOptions): Promise<CpuDevice> {
    const { pool, files } = options;
    const device = new CpuDevice(options, await pool.load(files));
    if (pool.size === 0) await device.#loadHere(largestBatch);
    return device;
  }

  run(texts: readonly string[], subset: Subset): Promise<MemberOutput[]> {
    if (this.#here !== undefined && texts.length <= this.inlineRows) return this.#here.run(texts, subset);
    this.#asked += texts.length;
    if (this.#asked >= ASKED_OFTEN) this.#comeHere();
    return this.#options.pool.run(this.#id, texts, subset);
  }

  async release(): Promise<void> {
    await this.#coming;
    await this.#options.pool.unload(this.#id);
    await this.#here?.release();
  }

  #comeHere(): void {
    this.#asked = 0;
    const rows = this.#options.rowsWithin(INLINE_MS);
    if (rows > 0) this.#coming ??= this.#loadHere(rows).catch(() => undefined); // the threads answer as before
  }

  async #loadHere(rows: number): Promise<void> {
    this.#here = await Replica.load(this.#options.files);
    this.inlineRows = rows;
  }
}
