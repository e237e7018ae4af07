import { OutOfMemory } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';

/** What takes part of the memory while it is loaded. */
export interface MemoryEntry {
  /** What it is called in errors. */
  readonly name: string;
  /** Bytes that it takes while it is loaded. */
  readonly bytes: number;
  /** Gives them back, once nothing runs on it. */
  leave(): Promise<void>;
}

/** So much of the memory may go to models that have grown, beyond what they came with: the rest is for many of them. */
const GROWTH_SHARE = 0.5;

interface HeldEntry {
  bytes: number;
  /** Of these, what it has grown by. */
  grownBytes: number;
  costMs: number;
  uses: number;
  worth: number;
}

/**
 * Which models are loaded. Where there is no room, those of least worth leave. The worth is age + uses · cost of loading ÷
 * bytes, where the age is the worth of whoever left last, so that fame fades (GreedyDual-Size-Frequency: Cherkasova, HP
 * Labs 1998). Loads take turns: all threads but one go on answering.
 */
export class ModelMemory {
  readonly budgetBytes: number;
  readonly #stays = new Map<MemoryEntry, HeldEntry>();
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
   * Loads it in its turn; `load` tells the milliseconds that it costs. False where others would have to leave and `mayEvict`
   * is not set.
   */
  admit(tenant: MemoryEntry, load: () => Promise<number>, { mayEvict }: { mayEvict: boolean }): Promise<boolean> {
    return this.#inTurn(async () => {
      const { bytes } = tenant;
      if (bytes > this.budgetBytes && mayEvict) throw tooLarge(tenant, this.budgetBytes);
      if (this.#usedBytes + bytes > this.budgetBytes && !mayEvict) return false;
      await this.#makeRoom(bytes);
      const stay = { bytes, grownBytes: 0, costMs: 0, uses: 1, worth: Number.POSITIVE_INFINITY };
      this.#stays.set(tenant, stay);
      this.#usedBytes += bytes;
      try {
        stay.costMs = await load();
      } catch (error) {
        this.#forget(tenant);
        throw error;
      }
      stay.worth = this.#worthOf(stay);
      return true;
    });
  }

  /** Gives it more bytes where only those of less worth must leave for that; whether it has them. */
  grow(tenant: MemoryEntry, bytes: number, work: () => Promise<void>): Promise<boolean> {
    return this.#inTurn(async () => {
      const stay = this.#stays.get(tenant);
      const grownBytes = [...this.#stays.values()].reduce((sum, other) => sum + other.grownBytes, bytes);
      if (stay === undefined || grownBytes > GROWTH_SHARE * this.budgetBytes) return false;
      const others = [...this.#stays.values()].filter(({ worth }) => worth < stay.worth);
      const free = this.budgetBytes - this.#usedBytes + others.reduce((sum, other) => sum + other.bytes, 0);
      if (free < bytes) return false;
      await this.#makeRoom(bytes, tenant);
      stay.bytes += bytes;
      stay.grownBytes += bytes;
      this.#usedBytes += bytes;
      await work();
      return true;
    });
  }

  /** So many requests were asked of it. */
  used(tenant: MemoryEntry, requests: number): void {
    const stay = this.#stays.get(tenant);
    if (stay === undefined) return;
    stay.uses += requests;
    stay.worth = this.#worthOf(stay);
  }

  /** Nobody will ask it again. */
  dismiss(tenant: MemoryEntry): Promise<void> {
    return this.#inTurn(() => this.#evict(tenant));
  }

  async #makeRoom(bytes: number, keep?: MemoryEntry): Promise<void> {
    while (this.#usedBytes + bytes > this.budgetBytes) {
      const others = [...this.#stays].filter(([tenant]) => tenant !== keep);
      const [least, { worth }] = others.reduce((a, b) => (b[1].worth < a[1].worth ? b : a));
      this.#age = worth;
      await this.#evict(least);
    }
  }

  async #evict(tenant: MemoryEntry): Promise<void> {
    if (!this.#stays.has(tenant)) return;
    await tenant.leave();
    this.#forget(tenant);
  }

  #forget(tenant: MemoryEntry): void {
    this.#usedBytes -= this.#stays.get(tenant)?.bytes ?? 0;
    this.#stays.delete(tenant);
  }

  #worthOf({ bytes, costMs, uses }: HeldEntry): number {
    return this.#age + (uses * costMs) / bytes;
  }

  /** One after another; those who waited for a model that has come ask it before the next may send it away. */
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
    detail: `It takes ${sizeText(bytes)}, and there are ${sizeText(budgetBytes)} for all models.`,
    hint: 'Start the server with a larger RAFIKI_MODEL_MEMORY, or deploy a smaller version.',
  });
