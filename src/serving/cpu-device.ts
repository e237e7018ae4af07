import { decisiveMembers } from '../domain/vote.ts';
import type { Device, MemberOutput } from './device.ts';
import type { InferenceThreads } from './inference-threads.ts';
import { largestBatch, measuredSizes } from './latency-model.ts';
import type { Subset } from './policies/policy.ts';
import { type EnsembleFiles, Replica } from './replica.ts';
import { timings } from './timings.ts';

/** A batch this short runs on the event loop: posting it to a thread and back costs about as much. */
const INLINE_MS = 0.5;

/** One model on the CPU: tiny batches on the calling thread, the others on inference threads. */
export class CpuDevice implements Device {
  readonly slots: number;
  readonly inlineRows: number;
  readonly #replica: Replica;
  readonly #threads: { pool: InferenceThreads; id: number } | null;

  private constructor(replica: Replica, threads: { pool: InferenceThreads; id: number } | null, inlineRows: number) {
    this.#replica = replica;
    this.#threads = threads;
    this.slots = threads?.pool.size ?? 1;
    this.inlineRows = inlineRows;
  }

  static async load(files: EnsembleFiles, pool: InferenceThreads, sample: string): Promise<CpuDevice> {
    const replica = await Replica.load(files);
    try {
      if (pool.size === 0) return new CpuDevice(replica, null, largestBatch);
      const inlineRows = await probe(replica, 2 ** decisiveMembers(files.models.length) - 1, sample);
      return new CpuDevice(replica, { pool, id: await pool.load(files) }, inlineRows);
    } catch (error) {
      await replica.release();
      throw error;
    }
  }

  run(texts: readonly string[], subset: Subset): Promise<MemberOutput[]> {
    if (this.#threads === null || texts.length <= this.inlineRows) return this.#replica.run(texts, subset);
    return this.#threads.pool.run(this.#threads.id, texts, subset);
  }

  async release(): Promise<void> {
    await this.#threads?.pool.unload(this.#threads.id);
    await this.#replica.release();
  }
}

/** How many rows stay below `INLINE_MS`, by the quickest of some runs: what else the machine does must not count. */
async function probe(replica: Replica, subset: Subset, sample: string): Promise<number> {
  let rows = 0;
  for (const size of measuredSizes) {
    const texts = Array.from({ length: size }, () => sample);
    const [ms = Number.POSITIVE_INFINITY] = await timings(() => replica.run(texts, subset));
    if (ms > INLINE_MS) return Math.max(rows, Math.floor((size * INLINE_MS) / ms));
    rows = size;
  }
  return rows;
}
