import { OutOfMemory } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';

/** A model that takes memory while it is loaded. */
export interface MemoryEntry {
  /** Its name in error messages. */
  readonly name: string;
  /** Bytes that it takes while it is loaded. */
  readonly bytes: number;
  /** Unloads it, after its running batches have ended. */
  unload(): Promise<void>;
}

/** Share of the memory for the growth of models; the rest keeps room for many models. */
const GROWTH_SHARE = 0.5;

interface LoadedEntry {
  bytes: number;
  /** The part of `bytes` from growing. */
  grownBytes: number;
  costMs: number;
  uses: number;
  worth: number;
}

/**
 * Keeps track of the loaded models. If memory is short, those of least value are unloaded. Value = age + uses · load
 * cost ÷ bytes, where age is the value of the last unloaded model, so that past use loses weight
 * (GreedyDual-Size-Frequency: Cherkasova, HP Labs 1998). Models are loaded one at a time: all threads but one keep
 * answering.
 */
export class ModelMemory {
  readonly budgetBytes: number;
  readonly #entries = new Map<MemoryEntry, LoadedEntry>();
  #turn: Promise<void> = Promise.resolve();
  #usedBytes = 0;
  #age = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Loads the model when its turn comes; `load` returns the cost in ms. Returns false if other models had to be
   * unloaded and `mayEvict` is false.
   */
  admit(tenant: MemoryEntry, load: () => Promise<number>, { mayEvict }: { mayEvict: boolean }): Promise<boolean> {
    return this.#inTurn(async () => {
      const { bytes } = tenant;
      if (bytes > this.budgetBytes && mayEvict) throw tooLarge(tenant, this.budgetBytes);
      if (this.#usedBytes + bytes > this.budgetBytes && !mayEvict) return false;
      await this.#makeRoom(bytes);
      const entry = { bytes, grownBytes: 0, costMs: 0, uses: 1, worth: Number.POSITIVE_INFINITY };
      this.#entries.set(tenant, entry);
      this.#usedBytes += bytes;
      try {
        entry.costMs = await load();
      } catch (error) {
        this.#forget(tenant);
        throw error;
      }
      entry.worth = this.#worthOf(entry);
      return true;
    });
  }

  /** Gives the model more bytes if only models of less value must be unloaded for it. Returns whether it has them. */
  grow(tenant: MemoryEntry, bytes: number, work: () => Promise<void>): Promise<boolean> {
    return this.#inTurn(async () => {
      const entry = this.#entries.get(tenant);
      const grownBytes = [...this.#entries.values()].reduce((sum, other) => sum + other.grownBytes, bytes);
      if (entry === undefined || grownBytes > GROWTH_SHARE * this.budgetBytes) return false;
      const others = [...this.#entries.values()].filter(({ worth }) => worth < entry.worth);
      const free = this.budgetBytes - this.#usedBytes + others.reduce((sum, other) => sum + other.bytes, 0);
      if (free < bytes) return false;
      await this.#makeRoom(bytes, tenant);
      entry.bytes += bytes;
      entry.grownBytes += bytes;
      this.#usedBytes += bytes;
      await work();
      return true;
    });
  }

  /** Counts requests for the model. */
  used(tenant: MemoryEntry, requests: number): void {
    const entry = this.#entries.get(tenant);
    if (entry === undefined) return;
    entry.uses += requests;
    entry.worth = this.#worthOf(entry);
  }

  /** The model will not be used again. */
  remove(tenant: MemoryEntry): Promise<void> {
    return this.#inTurn(() => this.#evict(tenant));
  }

  async #makeRoom(bytes: number, keep?: MemoryEntry): Promise<void> {
    while (this.#usedBytes + bytes > this.budgetBytes) {
      const others = [...this.#entries].filter(([tenant]) => tenant !== keep);
      const [min, { worth }] = others.reduce((a, b) => (b[1].worth < a[1].worth ? b : a));
      this.#age = worth;
      await this.#evict(min);
    }
  }

  async #evict(tenant: MemoryEntry): Promise<void> {
    if (!this.#entries.has(tenant)) return;
    await tenant.unload();
    this.#forget(tenant);
  }

  #forget(tenant: MemoryEntry): void {
    this.#usedBytes -= this.#entries.get(tenant)?.bytes ?? 0;
    this.#entries.delete(tenant);
  }

  #worthOf({ bytes, costMs, uses }: LoadedEntry): number {
    return this.#age + (uses * costMs) / bytes;
  }

  /** Sequential. Callers that waited for a loaded model can use it before the next load may unload it. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    let done = (): void => undefined;
    this.#turn = new Promise((resolve) => {
      done = () => setImmediate(resolve);
    });
    await before;
    try {
      return await work();
    } finally {
      done();
    }
  }
}

const tooLarge = ({ name, bytes }: MemoryEntry, budgetBytes: number): OutOfMemory =>
  new OutOfMemory(`${name} does not fit into the memory for models`, {
    detail: `It takes ${sizeText(bytes)}; the memory for all models is ${sizeText(budgetBytes)}.`,
    hint: 'Start the server with a larger RAFIKI_MODEL_MEMORY, or deploy a smaller version.',
  });
