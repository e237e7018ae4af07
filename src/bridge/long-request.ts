import { Cancelled } from '../errors/errors.ts';
import type { FrameReader } from '../runtime/frames/frame-reader.ts';
import type { MemoryBudget } from '../runtime/memory-budget.ts';

/** A long request that is arriving: whether it is accepted, and the memory that is reserved for it until it is answered. */
export class LongRequest {
  readonly #bytes: number;
  readonly #memory: MemoryBudget;
  readonly #disconnected = new AbortController();
  #reservedBytes = 0;
  #isDiscarding = false;
  /** Why the request is discarded. */
  refusal: unknown;

  constructor(bytes: number, room: MemoryBudget) {
    this.#bytes = bytes;
    this.#memory = room;
  }

  /** Undefined if the decision needs no waiting; the promise never rejects. */
  screen(admit: () => void | Promise<void>): Promise<void> | undefined {
    const refused = (error: unknown): void => {
      this.refusal = error;
    };
    try {
      const admitted = admit();
      const entered = admitted === undefined ? this.#acquireMemory() : admitted.then(() => this.#acquireMemory());
      return entered?.catch(refused);
    } catch (error) {
      refused(error);
      return undefined;
    }
  }

  /** Discards the bytes that have arrived. Returns whether the request is complete. */
  discardFrom(reader: FrameReader): boolean {
    if (!this.#isDiscarding) reader.discard();
    this.#isDiscarding = reader.isDiscarding;
    return !this.#isDiscarding;
  }

  /** The client has disconnected. */
  abort(): void {
    this.#disconnected.abort(new Cancelled('the client has disconnected'));
    this.release();
  }

  release(): void {
    const reservedBytes = this.#reservedBytes;
    this.#reservedBytes = 0;
    if (reservedBytes > 0) this.#memory.release(reservedBytes);
  }

  #acquireMemory(): Promise<void> | undefined {
    const { signal } = this.#disconnected;
    signal.throwIfAborted();
    const entered = this.#memory.acquire(this.#bytes, signal);
    if (entered === undefined) this.#reservedBytes = this.#bytes;
    return entered?.then(() => {
      this.#reservedBytes = this.#bytes;
      if (signal.aborted) this.release();
    });
  }
}
