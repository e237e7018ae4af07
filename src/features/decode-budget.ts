import { setTimeout as sleep } from 'node:timers/promises';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/**
 * Maximum bytes of all concurrent decodes in this process: ten photographs of 24 million pixels, or one of the largest.
 */
export const DECODE_BYTES = 512 * 2 ** 20;

/** Polling, because other threads cannot wake this one. A decode that fills the budget takes seconds. */
const POLL_MS = 10;

/** Longer than any decode: older entries were left by a dead thread. */
const ABANDONED_MS = 120_000;

const [used, gate] = [0, 1];
const KIB = 1024;

/** Memory is limited per process, and every inference thread decodes: so the counter is in shared memory. */
function sharedCells(): Int32Array {
  const name = 'rafiki.decode-budget';
  const found: unknown = getEnvironmentData(name);
  const memory = found instanceof SharedArrayBuffer ? found : new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  setEnvironmentData(name, memory); // inherited by threads that start later
  return new Int32Array(memory);
}

/**
 * Runs work when its bytes fit into the budget. Within a thread the order is kept; of several threads one at a time
 * waits, so that small decodes do not starve large ones. Work that exceeds the whole budget runs alone.
 */
export class DecodeBudget {
  readonly #kib: number;
  readonly #cells: Int32Array;
  #turn: Promise<void> = Promise.resolve();

  constructor(bytes: number, cells = sharedCells()) {
    this.#kib = Math.floor(bytes / KIB);
    this.#cells = cells;
  }

  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const kib = Math.ceil(bytes / KIB);
    const taken = this.#turn.then(() => this.#acquire(kib));
    this.#turn = taken;
    await taken;
    try {
      return await work();
    } finally {
      this.#release(kib);
    }
  }

  async #acquire(kib: number): Promise<void> {
    await this.#until(() => Atomics.compareExchange(this.#cells, gate, 0, 1) === 0);
    await this.#until(() => this.#fits(kib));
    Atomics.store(this.#cells, gate, 0);
  }

  #fits(kib: number): boolean {
    const before = Atomics.load(this.#cells, used);
    if (before > 0 && before + kib > this.#kib) return false;
    return Atomics.compareExchange(this.#cells, used, before, before + kib) === before;
  }

  async #until(done: () => boolean): Promise<void> {
    let seen = Atomics.load(this.#cells, used);
    let sinceMs = performance.now();
    while (!done()) {
      await sleep(POLL_MS);
      const now = Atomics.load(this.#cells, used);
      if (now !== seen) [seen, sinceMs] = [now, performance.now()];
      else if (performance.now() - sinceMs > ABANDONED_MS) this.#reset();
    }
  }

  #reset(): void {
    Atomics.store(this.#cells, used, 0);
    Atomics.store(this.#cells, gate, 0);
  }

  /** Never below 0, which would admit too much. */
  #release(kib: number): void {
    for (;;) {
      const before = Atomics.load(this.#cells, used);
      const after = Math.max(0, before - kib);
      if (Atomics.compareExchange(this.#cells, used, before, after) === before) return;
    }
  }
}
