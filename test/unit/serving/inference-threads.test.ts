import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, it, vi } from 'vitest';
import { EnvironmentUnfit } from '../../../src/errors/errors.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { InferenceThreads } from '../../../src/serving/devices/inference-threads.ts';
import type { EnsembleFiles } from '../../../src/serving/devices/replica.ts';
import type { ThreadOrder } from '../../../src/serving/devices/thread-orders.ts';

/** A thread whose orders the test answers: Node 20 cannot start one from TypeScript. */
class StagedThread {
  readonly loaded = new Set<number>();
  readonly received: string[] = [];
  readonly pending: { resolve(outputs: []): void; reject(error: unknown): void }[] = [];
  answered = 0;
  readonly #onDeath: (cause: Error) => void;

  constructor(_vectors: SharedArrayBuffer, onDeath: (cause: Error) => void) {
    this.#onDeath = onDeath;
    threads.push(this);
  }

  get waiting(): number {
    return this.pending.length;
  }

  get idle(): boolean {
    return this.pending.length === 0;
  }

  order({ kind, id }: ThreadOrder): Promise<[]> {
    this.received.push(`${kind} ${id}`);
    return new Promise((resolve, reject) => this.pending.push({ resolve, reject }));
  }

  die(): void {
    for (const { reject } of this.pending.splice(0)) reject(new EnvironmentUnfit('an inference thread died'));
    this.#onDeath(new Error('out of memory'));
  }
}

let threads: StagedThread[] = [];
vi.mock('../../../src/serving/devices/thread-handle.ts', () => ({
  built: true,
  died: (cause: Error) => cause,
  get ThreadHandle() {
    return StagedThread;
  },
}));

const files: EnsembleFiles = { models: [], inputKind: 'text', threads: 1 };
let warnings: object[] = [];
async function start(size: number): Promise<InferenceThreads> {
  const logger = { ...silentLogger, warn: (about: object) => warnings.push(about), error: () => undefined };
  const pool = new InferenceThreads({ threads: size, logger: logger as unknown as typeof silentLogger });
  await pool.start();
  return pool;
}

beforeEach(() => {
  threads = [];
  warnings = [];
});

it('a model whose load a dying thread did not end stays on none', async () => {
  const pool = await start(1);
  const loading = pool.load(files);
  threads[0]?.die();
  const heir = threads[1];
  expect(heir?.received).toEqual(['load 1']);
  const refused = expect(loading).rejects.toThrow('died');
  await turn();
  for (const { resolve } of heir?.pending.splice(0) ?? []) resolve([]);
  await refused;
  expect(heir?.received).toEqual(['load 1', 'unload 1']);
});

it('what waits for a model that no other thread can load fails with the reason', async () => {
  const pool = await start(1);
  const loading = pool.load(files);
  threads[0]?.pending.shift()?.resolve([]);
  const id = await loading;
  threads[0]?.die();
  const run = expect(pool.run(id, ['a text'], 1)).rejects.toThrow('a damaged copy');
  const heir = threads[1];
  heir?.pending.shift()?.reject(new EnvironmentUnfit('a damaged copy'));
  await run;
  expect(heir?.received).toEqual(['load 1']);
  expect(warnings).toHaveLength(1);
});
