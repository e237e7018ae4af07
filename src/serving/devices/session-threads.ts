import type { ThreadPool } from './inference-threads.ts';
import { quickestRun } from './quickest-run.ts';
import type { EnsembleFiles } from './replica.ts';

/** Rows of the batches that are timed. */
const ROWS = 16;
/** A batch this short gains nothing from more threads: they must be woken, and wait for each other. */
const SHORT_MS = 4;
/** More threads must make a lone batch quicker by a fifth, and cost at most a twentieth of what all sessions together do. */
const QUICKER = 0.8;
const AS_MANY = 0.95;

export interface ThreadChoice {
  pool: ThreadPool;
  ensemble: Omit<EnsembleFiles, 'threads'>;
  /** An input like those that it sees. */
  sample: string;
  cores: number;
}

interface Timing {
  threads: number;
  /** Of a batch alone, and of batches on all sessions at once. */
  loneMs: number;
  crowdMs: number;
}

/**
 * How many threads each session has, by measurement: one, where sessions side by side use all cores, or its share of the
 * cores, or all of them, where a lone batch is quicker for it and many at once are not slower.
 */
export async function chooseThreads(choice: ThreadChoice): Promise<number> {
  const { pool, cores } = choice;
  if (pool.size === 0) return 1;
  let best = await time(choice, 1);
  if (best.loneMs < SHORT_MS) return best.threads;
  const more = new Set([Math.floor(cores / pool.size), cores]);
  for (const threads of [...more].filter((count) => count > 1)) {
    const next = await time(choice, threads);
    if (next.loneMs <= QUICKER * best.loneMs && AS_MANY * next.crowdMs <= best.crowdMs) best = next;
  }
  return best.threads;
}

async function time({ pool, ensemble, sample }: ThreadChoice, threads: number): Promise<Timing> {
  const id = await pool.load({ ...ensemble, threads });
  try {
    const inputs = Array.from({ length: ROWS }, () => sample);
    const all = 2 ** ensemble.models.length - 1;
    const batch = (): Promise<unknown> => pool.run(id, { inputs, subset: all });
    const crowd = (): Promise<unknown> => Promise.all(Array.from({ length: pool.size }, batch));
    const loneMs = await quickestRun(batch);
    if (loneMs < SHORT_MS) return { threads, loneMs, crowdMs: loneMs };
    await pool.spread(id);
    return { threads, loneMs, crowdMs: await quickestRun(crowd) };
  } finally {
    await pool.unload(id);
  }
}
