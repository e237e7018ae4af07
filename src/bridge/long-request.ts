import type { Room } from './room.ts';

export interface LongRequestOptions {
  bytes: number;
  room: Room;
  /** Aborted when the client is gone. */
  signal: AbortSignal;
}

/** A long request that is on its way: whether it may come at all, and the room that it takes until it is answered. */
export class LongRequest {
  readonly #options: LongRequestOptions;
  #held = 0;
  /** Why it is thrown away as it comes. */
  refusal: unknown;

  constructor(options: LongRequestOptions) {
    this.#options = options;
  }

  /** Undefined where it is known at once; never rejects. */
  screen(admit: () => void | Promise<void>): Promise<void> | undefined {
    const refused = (error: unknown): void => {
      this.refusal = error;
    };
    try {
      const admitted = admit();
      const entered = admitted === undefined ? this.#enter() : admitted.then(() => this.#enter());
      return entered?.catch(refused);
    } catch (error) {
      refused(error);
      return undefined;
    }
  }

  release(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.#options.room.give(held);
  }

  #enter(): Promise<void> | undefined {
    const { bytes, room, signal } = this.#options;
    signal.throwIfAborted();
    const entered = room.take(bytes, signal);
    if (entered === undefined) this.#held = bytes;
    return entered?.then(() => {
      this.#held = bytes;
      if (signal.aborted) this.release();
    });
  }
}
