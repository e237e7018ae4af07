import { isMachineFault } from '../../errors/machine-fault.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Subset } from '../policies/policy.ts';
import type { Device, MemberOutput } from './device.ts';
import type { MemoryEntry, ModelMemory } from './model-memory.ts';
import type { Work } from './work.ts';

/** A device with the model on it, for as long as it is there. */
export interface LoadedDevice {
  readonly inlineRows: number;
  run(inputs: readonly string[], subset: Subset, work?: Work): Promise<MemberOutput[]>;
  /** Takes all the threads that it can use. */
  grow(): Promise<void>;
  release(): Promise<void>;
}

/** A model that can be loaded: how large it is, at first and grown, and how. */
export interface Loadable {
  bytes: number;
  grownBytes: number;
  /** Before the first load, in the same turn. */
  prepare(): Promise<void>;
  load(): Promise<LoadedDevice>;
}

export interface ResidentDeviceOptions {
  name: string;
  slots: number;
  memory: ModelMemory;
  /** Brings the model's files to this machine. */
  fetch(): Promise<Loadable>;
  /** The first load: how long batches take is not known yet. */
  onFirstLoad(device: LoadedDevice): Promise<void>;
  onLoad(): void;
  /** Takes so many bytes more, or fewer. */
  onBytes(more: number): void;
}

/** Rows asked of a model before it grows: those that are asked now and then take little memory, and come quickly. */
const ASKED_OFTEN = 64;
/** Requests for a model that this machine could not load learn why at once, for so long: not each of them reads it all again. */
const FAULT_PAUSE = { firstMs: 500, maxMs: 30_000 };

/** A model's device while the model comes and goes: loaded when it is asked, away when others are worth more. */
export class ResidentDevice implements Device, MemoryEntry {
  readonly name: string;
  readonly slots: number;
  bytes = 0;
  /** Of these, what was said to be taken: {@link bytes} is of the next load while the last one still leaves. */
  #loadedBytes = 0;
  readonly #options: ResidentDeviceOptions;
  #loaded: LoadedDevice | undefined;
  #opening: Promise<boolean> | undefined;
  #isMeasured = false;
  /** Of the quickest load: what else the machine did must not make a model worth more. */
  #costMs = Number.POSITIVE_INFINITY;
  #running = 0;
  /** Rows asked since it came, or since it last tried to grow; not counted when it has grown. */
  #asked = 0;
  #grownBytes = 0;
  #onCalm: (() => void) | undefined;
  #fault: { error: unknown; times: number; untilMs: number } | undefined;
  readonly #rng = createRng(process.pid);

  constructor(options: ResidentDeviceOptions) {
    this.#options = options;
    this.name = options.name;
    this.slots = options.slots;
  }

  get isReady(): boolean {
    return this.#loaded !== undefined;
  }

  get inlineRows(): number {
    return this.#loaded?.inlineRows ?? 0;
  }

  /** All who ask at once wait for one load. */
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

  async run(inputs: readonly string[], subset: Subset, work?: Work): Promise<MemberOutput[]> {
    while (this.#loaded === undefined) await this.open();
    this.#options.memory.used(this, inputs.length);
    this.#asked += inputs.length;
    if (this.#asked >= ASKED_OFTEN) this.#grow(this.#loaded);
    this.#running++;
    try {
      return await this.#loaded.run(inputs, subset, work);
    } finally {
      if (--this.#running === 0) this.#onCalm?.();
    }
  }

  /** Takes no more batches; the memory is free when those that run have ended. */
  async leave(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onCalm = resolve;
      });
      this.#onCalm = undefined;
    }
    await loaded?.release();
    this.#options.onBytes(-this.#loadedBytes);
    this.#loadedBytes = 0;
  }

  async release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#options.memory.dismiss(this);
  }

  /** It goes on as it is where others are worth more, or where it fails. */
  #grow(loaded: LoadedDevice): void {
    const { memory, onBytes } = this.#options;
    this.#asked = Number.NEGATIVE_INFINITY;
    const more = this.#grownBytes - this.bytes;
    const grow = async (): Promise<void> => {
      if (this.#loaded !== loaded) return; // it has left, and come again
      this.bytes += more;
      this.#loadedBytes += more;
      onBytes(more);
      await loaded.grow();
    };
    void memory.grow(this, more, grow).then(
      (hasGrown) => {
        if (!hasGrown) this.#asked = 0;
      },
      () => undefined,
    );
  }

  async #open(mayEvict: boolean): Promise<boolean> {
    const { memory, fetch, onFirstLoad, onLoad, onBytes } = this.#options;
    const { bytes, grownBytes, prepare, load } = await fetch();
    this.bytes = bytes;
    this.#grownBytes = grownBytes;
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
      this.#asked = 0;
      onLoad();
      this.#loadedBytes = bytes;
      onBytes(bytes);
      return this.#costMs;
    };
    return memory.admit(this, loadTimed, { mayEvict });
  }
}
