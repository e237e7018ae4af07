import { setTimeout as sleep } from 'node:timers/promises';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** Bytes that all images take that are decoded at once in this process: ten photographs of 24 million pixels, or the largest one. */
export const DECODE_BYTES = 512 * 2 ** 20;

/** Other threads cannot wake this one. A decode that fills the budget takes seconds. */
const POLL_MS = 10;

/** No decode takes so long: what is still counted then was left behind by a thread that died. */
const ABANDONED_MS = 120_000;

const [used, gate] = [0, 1];
const KIB = 1024;

/** The decoder's memory is the process's, and every inference thread decodes: they count in memory that they share. */
function sharedCells(): Int32Array {
  const name = 'rafiki.decode-budget';
  const found: unknown = getEnvironmentData(name);
  const memory = found instanceof SharedArrayBuffer ? found : new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  setEnvironmentData(name, memory); // threads that start later find it
  return new Int32Array(memory);
}

/**
 * Lets work begin when its bytes fit into what is left. Those of one thread come in order; of several threads one at a
 * time waits for room, so that large ones are not passed for ever by small ones. More than there is runs alone.
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
    const taken = this.#turn.then(() => this.#take(kib));
    this.#turn = taken;
    await taken;
    try {
      return await work();
    } finally {
      this.#giveBack(kib);
    }
  }

  async #take(kib: number): Promise<void> {
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
      else if (performance.now() - sinceMs > ABANDONED_MS) this.#forget();
    }
  }

  #forget(): void {
    Atomics.store(this.#cells, used, 0);
    Atomics.store(this.#cells, gate, 0);
  }

  /** Never below nothing, which would let too much in. */
  #giveBack(kib: number): void {
    for (;;) {
      const before = Atomics.load(this.#cells, used);
      const after = Math.max(0, before - kib);
      if (Atomics.compareExchange(this.#cells, used, before, after) === before) return;
    }
  }
}
