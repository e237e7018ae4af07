import { Cancelled } from '../errors/errors.ts';
import type { FrameReader } from './frames.ts';
import type { Room } from './room.ts';

/** A long request that is on its way: whether it may come at all, and the room that it takes until it is answered. */
export class LongRequest {
  readonly #bytes: number;
  readonly #room: Room;
  readonly #gone = new AbortController();
  #held = 0;
  #isDiscarding = false;
  /** Why it is thrown away as it comes. */
  refusal: unknown;

  constructor(bytes: number, room: Room) {
    this.#bytes = bytes;
    this.#room = room;
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

  /** Throws away what is there of it; whether that was the last of it. */
  discardFrom(reader: FrameReader): boolean {
    if (!this.#isDiscarding) reader.discard();
    this.#isDiscarding = reader.isDiscarding;
    return !this.#isDiscarding;
  }

  /** The client is gone. */
  abort(): void {
    this.#gone.abort(new Cancelled('the client is gone'));
    this.release();
  }

  release(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.#room.give(held);
  }

  #enter(): Promise<void> | undefined {
    const { signal } = this.#gone;
    signal.throwIfAborted();
    const entered = this.#room.take(this.#bytes, signal);
    if (entered === undefined) this.#held = this.#bytes;
    return entered?.then(() => {
      this.#held = this.#bytes;
      if (signal.aborted) this.release();
    });
  }
}
