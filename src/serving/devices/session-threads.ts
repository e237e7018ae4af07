import type { BatchResult } from './device.ts';
import type { ThreadPool } from './inference-threads.ts';
import { quickestRun } from './quickest-run.ts';
import type { EnsembleFiles } from './replica.ts';

/** Rows of the measured batches. */
const ROWS = 16;
/** A batch this short does not profit from more threads: waking and synchronising them costs more. */
const SHORT_MS = 4;
/**
 * More threads must make a lone batch at least a fifth quicker, and cost at most a twentieth of the total throughput of
 * all sessions.
 */
const QUICKER = 0.8;
const AS_MANY = 0.95;

export interface ThreadChoice {
  pool: ThreadPool;
  ensemble: Omit<EnsembleFiles, 'threads'>;
  /** A typical input. */
  sample: string;
  cores: number;
}

interface Timing {
  threads: number;
  /** Of one batch alone, and of batches on all sessions in parallel. */
  loneMs: number;
  concurrentMs: number;
}

/**
 * Chooses ONNX Runtime's threads per session by measurement: 1 if parallel sessions use all cores; or its share of the
 * cores, or all of them, if a lone batch is then quicker and parallel batches are not slower.
 */
export async function chooseThreads(choice: ThreadChoice): Promise<number> {
  const { pool, cores } = choice;
  if (pool.size === 0) return 1;
  let best = await time(choice, 1);
  if (best.loneMs < SHORT_MS) return best.threads;
  const more = new Set([Math.floor(cores / pool.size), cores]);
  for (const threads of [...more].filter((count) => count > 1)) {
    const next = await time(choice, threads);
    if (next.loneMs <= QUICKER * best.loneMs && AS_MANY * next.concurrentMs <= best.concurrentMs) best = next;
  }
  return best.threads;
}

async function time({ pool, ensemble, sample }: ThreadChoice, threads: number): Promise<Timing> {
  const id = await pool.load({ ...ensemble, threads });
  try {
    const inputs = Array.from({ length: ROWS }, () => sample);
    const all = 2 ** ensemble.models.length - 1;
    const batch = (): Promise<BatchResult> => pool.run(id, inputs, all);
    const concurrent = async (): Promise<{ ms: number }> => {
      const results = await Promise.all(Array.from({ length: pool.size }, batch));
      return { ms: Math.max(...results.map(({ ms }) => ms)) };
    };
    const loneMs = await quickestRun(batch);
    if (loneMs < SHORT_MS) return { threads, loneMs, concurrentMs: loneMs };
    await pool.spread(id);
    return { threads, loneMs, concurrentMs: await quickestRun(concurrent) };
  } finally {
    await pool.unload(id);
  }
}
