import { InvalidState } from '../../errors/errors.ts';
import { isMachineFault } from '../../errors/machine-fault.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Subset } from '../policies/policy.ts';
import type { BatchResult, Device, ExplainedEnsemble } from './device.ts';
import type { MemoryEntry, ModelMemory, SharedMemory } from './model-memory.ts';

/** A device with its model loaded. */
export interface LoadedDevice {
  readonly isFree: boolean;
  readonly inlineRows: number;
  run(inputs: readonly string[], subset: Subset): Promise<BatchResult>;
  runNow?: Device['runNow'];
  explain?: Device['explain'];
  /** Uses all available threads. */
  grow(): Promise<void>;
  release(): Promise<void>;
}

/** A model before loading: its size, at first and after growing, and how to load it. */
export interface Loadable {
  bytes: number;
  grownBytes: number;
  /** The encoders that it stands on, and the copies of them after growing. */
  shared: readonly SharedMemory[];
  grownCopies: number;
  /** Called before the first load. */
  prepare(): Promise<void>;
  load(): Promise<LoadedDevice>;
}

export interface ResidentDeviceOptions {
  name: string;
  /** Of an imported model: the role in whose process it runs. */
  owner?: number | null;
  memory: ModelMemory;
  /** Fetches the model's files to this machine. */
  fetch(): Promise<Loadable>;
  /** Called after the first load, when latencies are not known yet. */
  onFirstLoad(device: LoadedDevice): Promise<void>;
  onLoad(): void;
  /** The memory of the model has changed by `more` bytes, which may be negative. */
  onBytes(more: number): void;
  logger: Logger;
}

/** Rows after which a model grows: models that are rarely used take little memory and load quickly. */
const GROW_AFTER_ROWS = 64;
/** After a failed load on this machine, further requests get the same error for this long, without another attempt. */
const FAULT_PAUSE = { firstMs: 500, maxMs: 30_000 };

/** A model's device: loads the model on demand, and unloads it when memory is needed for models of more value. */
export class ResidentDevice implements Device, MemoryEntry {
  readonly name: string;
  readonly owner: number | null;
  bytes = 0;
  shared: readonly SharedMemory[] = [];
  /**
   * The part of the counted memory that is loaded; {@link bytes} belongs to the next load while the previous model is
   * still unloading.
   */
  #loadedBytes = 0;
  readonly #options: ResidentDeviceOptions;
  #loaded: LoadedDevice | undefined;
  #opening: Promise<boolean> | undefined;
  #isMeasured = false;
  /** The quickest load: other load on the machine must not raise the model's value. */
  #costMs = Number.POSITIVE_INFINITY;
  #running = 0;
  /** Rows since the model was loaded or last tried to grow; not counted after growing. */
  #rowsSinceLoad = 0;
  #grownBytes = 0;
  #grownCopies = 1;
  #onIdle: (() => void) | undefined;
  #fault: { error: unknown; times: number; untilMs: number } | undefined;
  readonly #rng = createRng(process.pid);

  constructor(options: ResidentDeviceOptions) {
    this.#options = options;
    this.name = options.name;
    this.owner = options.owner ?? null;
  }

  get isReady(): boolean {
    return this.#loaded !== undefined;
  }

  get isFree(): boolean {
    return this.#loaded?.isFree ?? true;
  }

  get inlineRows(): number {
    return this.#loaded?.inlineRows ?? 0;
  }

  /** Concurrent callers share one load. */
  open({ mayEvict = true } = {}): Promise<boolean> {
    if (this.isReady) return Promise.resolve(true);
    if (this.#fault !== undefined && performance.now() < this.#fault.untilMs) return Promise.reject(this.#fault.error);
    this.#opening ??= this.#open(mayEvict)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #failed(error: unknown): never {
    if (isMachineFault(error)) {
      const times = (this.#fault?.times ?? 0) + 1;
      this.#fault = { error, times, untilMs: performance.now() + backoffMs(times - 1, FAULT_PAUSE, this.#rng) };
    }
    throw error;
  }

  runNow(inputs: readonly string[], subset: Subset): BatchResult | undefined {
    const result = this.#loaded?.runNow?.(inputs, subset);
    if (result !== undefined) this.#options.memory.used(this, inputs.length);
    return result;
  }

  run(inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    return this.#use(inputs.length, (loaded) => loaded.run(inputs, subset));
  }

  explain(orders: readonly string[], ensemble: ExplainedEnsemble): Promise<BatchResult> {
    return this.#use(orders.length, async (loaded) => {
      if (loaded.explain === undefined) throw new InvalidState(`${this.name} is on a device that explains nothing`);
      return loaded.explain(orders, ensemble);
    });
  }

  async #use(rows: number, work: (loaded: LoadedDevice) => Promise<BatchResult>): Promise<BatchResult> {
    while (this.#loaded === undefined) await this.open();
    this.#options.memory.used(this, rows);
    this.#rowsSinceLoad += rows;
    if (this.#rowsSinceLoad >= GROW_AFTER_ROWS) this.#grow(this.#loaded);
    this.#running++;
    try {
      return await work(this.#loaded);
    } finally {
      if (--this.#running === 0) this.#onIdle?.();
    }
  }

  /** Accepts no more batches. The memory is free when running batches have ended. */
  async unload(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      this.#onIdle = undefined;
    }
    await loaded?.release();
    this.#options.onBytes(-this.#loadedBytes);
    this.#loadedBytes = 0;
  }

  async release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#options.memory.remove(this);
  }

  /** Stays as it is if other models have more value; on an error until it is loaded again. */
  #grow(loaded: LoadedDevice): void {
    const { memory, onBytes, logger } = this.#options;
    this.#rowsSinceLoad = Number.NEGATIVE_INFINITY;
    const more = this.#grownBytes - this.bytes;
    const grow = async (): Promise<void> => {
      if (this.#loaded !== loaded) return; // unloaded and loaded again meanwhile
      this.bytes += more;
      this.#loadedBytes += more;
      onBytes(more);
      await loaded.grow();
    };
    void memory.grow(this, { bytes: more, copies: this.#grownCopies }, grow).then(
      (hasGrown) => {
        if (!hasGrown) this.#rowsSinceLoad = 0;
      },
      (error: unknown) => logger.warn({ err: String(error) }, `${this.name} cannot use more threads`),
    );
  }

  async #open(mayEvict: boolean): Promise<boolean> {
    const { memory, fetch, onFirstLoad, onLoad, onBytes } = this.#options;
    const { bytes, grownBytes, shared, grownCopies, prepare, load } = await fetch();
    this.bytes = bytes;
    this.shared = shared;
    this.#grownBytes = grownBytes;
    this.#grownCopies = grownCopies;
    const loadTimed = async (): Promise<number> => {
      if (!this.#isMeasured) await prepare();
      const startedMs = performance.now();
      const loaded = await load();
      this.#costMs = Math.min(this.#costMs, performance.now() - startedMs);
      try {
        if (!this.#isMeasured) await onFirstLoad(loaded);
      } catch (error) {
        await loaded.release();
        throw error;
      }
      this.#isMeasured = true;
      this.#fault = undefined;
      this.#loaded = loaded;
      this.#rowsSinceLoad = 0;
      onLoad();
      this.#loadedBytes = bytes;
      onBytes(bytes);
      return this.#costMs;
    };
    return memory.admit(this, loadTimed, { mayEvict });
  }
}
