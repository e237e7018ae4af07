import { OutOfMemory } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';

/** What several models need, loaded once for all of them: a pretrained encoder. */
export interface SharedMemory {
  key: string;
  /** Of a copy; each thread with such a model has one. */
  bytes: number;
}

/** A model that takes memory while it is loaded. */
export interface MemoryEntry {
  /** Its name in error messages. */
  readonly name: string;
  /** Bytes that it takes while it is loaded, without what it shares. */
  readonly bytes: number;
  /** What must be loaded with it, unless it is already. */
  readonly shared?: readonly SharedMemory[];
  /** Of an imported model, whose graph may take its time: its loads take turns with those of this role's models alone. */
  readonly owner?: number | null;
  /** Unloads it, after its running batches have ended. */
  unload(): Promise<void>;
}

/** By how much a model grows: bytes of its own, and the copies that it then has of what it shares. */
export interface MemoryGrowth {
  bytes: number;
  copies: number;
}

/** Share of the memory for the growth of models; the rest keeps room for many models. */
const GROWTH_SHARE = 0.5;

interface LoadedEntry {
  bytes: number;
  shared: readonly SharedMemory[];
  /** Of what it shares. */
  copies: number;
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
 * answering. Imported ones are loaded in the processes of their owners, one at a time for each owner, and nobody else waits for that.
 */
export class ModelMemory {
  readonly budgetBytes: number;
  readonly #entries = new Map<MemoryEntry, LoadedEntry>();
  readonly #lane = new Lane();
  /** Those of imported models, by owner. Who holds one may wait for the common one, and not the other way round. */
  readonly #owners = new Map<number, Lane>();
  /** Imported models that are being unloaded, by owner: that one's next model is loaded after them. */
  readonly #leaving = new Map<number, Promise<unknown>>();
  #ownBytes = 0;
  #age = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#bytesWith();
  }

  /**
   * Loads the model when its turn comes; `load` returns the cost in ms. Returns false if other models had to be
   * unloaded and `mayEvict` is false.
   */
  admit(tenant: MemoryEntry, load: () => Promise<number>, { mayEvict }: { mayEvict: boolean }): Promise<boolean> {
    const { owner = null } = tenant;
    const reserve = (): Promise<LoadedEntry | undefined> => this.#reserve(tenant, mayEvict);
    const fill = async (entry: LoadedEntry | undefined): Promise<boolean> =>
      entry !== undefined && this.#fill(tenant, entry, load);
    if (owner === null) return this.#lane.take(async () => fill(await reserve()));
    return this.#laneOf(owner).take(async () => {
      const entry = await this.#lane.take(reserve);
      await this.#leaving.get(owner);
      return fill(entry);
    });
  }

  async #reserve(tenant: MemoryEntry, mayEvict: boolean): Promise<LoadedEntry | undefined> {
    const { bytes, shared = [] } = tenant;
    const entry = { bytes, shared, copies: 1, grownBytes: 0, costMs: 0, uses: 1, worth: Number.POSITIVE_INFINITY };
    const alone = bytes + sharedBytes([entry]);
    if (alone > this.budgetBytes && mayEvict) throw tooLarge(tenant, { bytes: alone, budgetBytes: this.budgetBytes });
    if (this.#bytesWith(entry) > this.budgetBytes && !mayEvict) return undefined;
    await this.#makeRoom(entry);
    this.#entries.set(tenant, entry);
    this.#ownBytes += bytes;
    return entry;
  }

  async #fill(tenant: MemoryEntry, entry: LoadedEntry, load: () => Promise<number>): Promise<true> {
    const isKept = (): boolean => this.#entries.get(tenant) === entry;
    try {
      entry.costMs = await load();
    } catch (error) {
      if (isKept()) this.#forget(tenant);
      throw error;
    }
    if (!isKept()) {
      await tenant.unload();
      throw displaced(tenant);
    }
    entry.worth = this.#worthOf(entry);
    return true;
  }

  /**
   * Gives the model more bytes, and what it shares as many copies, if only models of less value must be unloaded for it. Returns whether it has
   * them.
   */
  grow(tenant: MemoryEntry, { bytes, copies }: MemoryGrowth, work: () => Promise<void>): Promise<boolean> {
    return this.#lane.take(async () => {
      const entry = this.#entries.get(tenant);
      if (entry === undefined) return false;
      const more = { bytes, shared: entry.shared, copies };
      const added = this.#bytesWith(more) - this.usedBytes;
      const grownBytes = [...this.#entries.values()].reduce((sum, other) => sum + other.grownBytes, added);
      if (grownBytes > GROWTH_SHARE * this.budgetBytes) return false;
      const others = [...this.#entries.values()].filter(({ worth }) => worth < entry.worth);
      const free = this.budgetBytes - this.usedBytes + others.reduce((sum, other) => sum + other.bytes, 0);
      if (free < added) return false;
      await this.#makeRoom(more, tenant);
      entry.bytes += bytes;
      entry.grownBytes += added;
      entry.copies = copies;
      this.#ownBytes += bytes;
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
  async remove(tenant: MemoryEntry): Promise<void> {
    const { owner = null } = tenant;
    await this.#lane.take(() => this.#evict(tenant));
    if (owner !== null) await this.#leaving.get(owner);
  }

  /** All bytes, with those of another model. */
  #bytesWith(another?: Pick<LoadedEntry, 'bytes' | 'shared' | 'copies'>): number {
    const entries = [...this.#entries.values()];
    return (
      this.#ownBytes + (another?.bytes ?? 0) + sharedBytes(another === undefined ? entries : [...entries, another])
    );
  }

  async #makeRoom(another: Pick<LoadedEntry, 'bytes' | 'shared' | 'copies'>, keep?: MemoryEntry): Promise<void> {
    while (this.#bytesWith(another) > this.budgetBytes) {
      const others = [...this.#entries].filter(([tenant]) => tenant !== keep);
      const [min, { worth }] = others.reduce((a, b) => (b[1].worth < a[1].worth ? b : a));
      if (Number.isFinite(worth)) this.#age = worth; // otherwise it is being loaded
      await this.#evict(min);
    }
  }

  /** An imported model is not waited for, also if it is still being loaded: its process has a limit of its own. */
  async #evict(tenant: MemoryEntry): Promise<void> {
    if (!this.#entries.has(tenant)) return;
    const { owner = null } = tenant;
    if (owner === null) await tenant.unload();
    this.#forget(tenant);
    if (owner === null) return;
    const unloaded = tenant.unload().catch(() => undefined);
    this.#leaving.set(owner, Promise.all([this.#leaving.get(owner), unloaded]));
  }

  #laneOf(owner: number): Lane {
    const lane = this.#owners.get(owner) ?? new Lane();
    this.#owners.set(owner, lane);
    return lane;
  }

  #forget(tenant: MemoryEntry): void {
    this.#ownBytes -= this.#entries.get(tenant)?.bytes ?? 0;
    this.#entries.delete(tenant);
  }

  /** Of what it shares, it counts with its part. */
  #worthOf({ bytes, shared, copies, costMs, uses }: LoadedEntry): number {
    const users = (key: string): number =>
      [...this.#entries.values()].filter((other) => other.shared.some((each) => each.key === key)).length;
    const parts = shared.reduce((sum, each) => sum + (copies * each.bytes) / Math.max(1, users(each.key)), 0);
    return this.#age + (uses * costMs) / (bytes + parts);
  }
}

/** Work that is done one after another. Callers that waited for a loaded model can use it before the next load may unload it. */
class Lane {
  #last: Promise<void> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done = (): void => undefined;
    this.#last = new Promise((resolve) => {
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

/** Each counts once, with as many copies as the model needs that has the most. */
function sharedBytes(entries: readonly Pick<LoadedEntry, 'shared' | 'copies'>[]): number {
  const most = new Map<string, number>();
  for (const { shared, copies } of entries)
    for (const { key, bytes } of shared) most.set(key, Math.max(most.get(key) ?? 0, copies * bytes));
  return [...most.values()].reduce((sum, bytes) => sum + bytes, 0);
}

const tooLarge = ({ name }: MemoryEntry, { bytes, budgetBytes }: { bytes: number; budgetBytes: number }): OutOfMemory =>
  new OutOfMemory(`${name} does not fit into the memory for models`, {
    detail: `It takes ${sizeText(bytes)}; the memory for all models is ${sizeText(budgetBytes)}.`,
    hint: 'Start the server with a larger RAFIKI_MODEL_MEMORY, or deploy a smaller version.',
  });

const displaced = ({ name }: MemoryEntry): OutOfMemory =>
  new OutOfMemory(`${name} had to make room for others while it was loaded`, {
    hint: 'Repeat the call later, or start the server with a larger RAFIKI_MODEL_MEMORY.',
  });
