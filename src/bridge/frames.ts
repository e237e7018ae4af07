import { ProtocolViolation } from '../errors/errors.ts';

/** One message of the PostgreSQL protocol; `type` is its letter, or 0 for the untyped packets that open a connection. */
export interface Frame {
  type: number;
  body: Buffer;
}

/** What is known of a frame before it is there: how long its body will be, and how it begins. */
export interface FrameHead {
  bytes: number;
  start: Buffer;
}

const empty = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames, however it arrives. Memory follows the bytes received, never the length a frame
 * claims, and grows by doubling: a megabyte in small pieces costs a few copies, not one per piece. Bytes handed out are
 * never written again.
 */
export class FrameReader {
  #buffer: Buffer = empty;
  #start = 0;
  #end = 0;
  /** Bytes of a frame in front that nobody wants, still to come. */
  #unwanted = 0;

  /** Bytes received and not yet handed out. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Before encryption begins. Throws {@link ProtocolViolation}. */
  checkEmpty(): void {
    if (this.buffered === 0) return;
    throw new ProtocolViolation('bytes came ahead of the encryption that was asked for', {
      detail: `${this.buffered} bytes: somebody may have put them there`,
    });
  }

  push(chunk: Buffer): void {
    const passed = Math.min(this.#unwanted, chunk.length);
    this.#unwanted -= passed;
    if (passed < chunk.length) this.#append(passed === 0 ? chunk : chunk.subarray(passed));
  }

  #append(chunk: Buffer): void {
    if (this.buffered === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length; // no room behind it: it is the socket's
      return;
    }
    if (this.#buffer.length - this.#end < chunk.length) {
      const grown = Buffer.allocUnsafe(2 * (this.buffered + chunk.length));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** The next untyped packet (int32 length, body), or null until all of it is there. */
  nextOpening(maxLength: number): Frame | null {
    return this.#next(0, { least: 8, most: maxLength });
  }

  /** The next typed frame (letter, int32 length, body), or null until all of it is there. */
  next(maxLength: number): Frame | null {
    return this.#next(1, { least: 4, most: maxLength });
  }

  /** The next typed frame where its body is longer than `bytes`, with `startBytes` of it; null until they are there. */
  head(bytes: number, startBytes: number): FrameHead | null {
    if (this.buffered < 5 + startBytes) return null;
    const length = this.#buffer.readInt32BE(this.#start + 1) - 4;
    const from = this.#start + 5;
    return length > bytes ? { bytes: length, start: this.#buffer.subarray(from, from + startBytes) } : null;
  }

  /** Throws away the typed frame in front, which {@link head} gave, as its bytes come. */
  discard(): void {
    const length = 1 + this.#buffer.readInt32BE(this.#start + 1);
    this.#unwanted = Math.max(0, length - this.buffered);
    this.#start += length - this.#unwanted;
    this.#release();
  }

  /** Whether a frame that is thrown away is still coming. */
  get isDiscarding(): boolean {
    return this.#unwanted > 0;
  }

  /** Keeps nothing of what came. */
  clear(): void {
    this.#start = this.#end;
    this.#release();
  }

  #next(prefix: 0 | 1, { least, most }: { least: number; most: number }): Frame | null {
    if (this.buffered < prefix + 4) return null;
    const length = this.#buffer.readInt32BE(this.#start + prefix);
    if (length < least || length > most) {
      throw new ProtocolViolation('a message has a length that is not allowed here', {
        detail: `length ${length}, allowed ${least} to ${most}`,
        hint: 'Send less in one call: a large array in parts.',
      });
    }
    if (this.buffered < prefix + length) return null;
    const type = prefix === 0 ? 0 : (this.#buffer[this.#start] as number);
    const body = this.#buffer.subarray(this.#start + prefix + 4, this.#start + prefix + length);
    this.#start += prefix + length;
    this.#release();
    return { type, body };
  }

  /** An idle connection must not hold the memory of its last request. */
  #release(): void {
    if (this.buffered === 0) this.#buffer = empty;
  }
}
