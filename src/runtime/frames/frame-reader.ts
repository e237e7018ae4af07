import { ProtocolViolation } from '../../errors/errors.ts';

/**
 * One message of the PostgreSQL protocol; `type` is its letter, or 0 for the untyped packets at the start of a
 * connection.
 */
export interface Frame {
  type: number;
  body: Buffer;
}

/** A frame that has not arrived completely: the length of its body and its first bytes. */
export interface FrameHead {
  bytes: number;
  prefix: Buffer;
}

const empty = Buffer.alloc(0);

/**
 * Splits a byte stream into frames. Memory is proportional to the bytes received, not to the length in the header, and
 * grows by doubling: a megabyte in small chunks is copied a few times, not once per chunk. Bytes that were returned are
 * never overwritten.
 */
export class FrameReader {
  #buffer: Buffer = empty;
  #start = 0;
  #end = 0;
  /** Bytes of a discarded frame that have not arrived yet. */
  #toDiscard = 0;

  /** Bytes received and not yet returned. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /**
   * Called before encryption starts. Throws {@link ProtocolViolation} if unencrypted bytes follow the request for it.
   */
  checkEmpty(): void {
    if (this.buffered === 0) return;
    throw new ProtocolViolation('unencrypted bytes follow the request for encryption', {
      detail: `${this.buffered} bytes, possibly injected by a third party`,
    });
  }

  push(chunk: Buffer): void {
    const passed = Math.min(this.#toDiscard, chunk.length);
    this.#toDiscard -= passed;
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

  /** The next untyped packet (int32 length, body), or null until all of it has arrived. */
  nextUntyped(maxLength: number): Frame | null {
    return this.#next(0, { min: 8, max: maxLength });
  }

  /** The next typed frame (letter, int32 length, body), or null until all of it has arrived. */
  next(maxLength: number): Frame | null {
    return this.#next(1, { min: 4, max: maxLength });
  }

  /**
   * The head of the next typed frame if its body is longer than `bytes`, with the first `prefixBytes` of the body; null
   * until these have arrived.
   */
  head(bytes: number, prefixBytes: number): FrameHead | null {
    if (this.buffered < 5 + prefixBytes) return null;
    const length = this.#buffer.readInt32BE(this.#start + 1) - 4;
    const from = this.#start + 5;
    return length > bytes ? { bytes: length, prefix: this.#buffer.subarray(from, from + prefixBytes) } : null;
  }

  /** Discards the typed frame of {@link head}, also the bytes that have not arrived yet. */
  discard(): void {
    const length = 1 + this.#buffer.readInt32BE(this.#start + 1);
    this.#toDiscard = Math.max(0, length - this.buffered);
    this.#start += length - this.#toDiscard;
    this.#release();
  }

  /** Whether bytes of a discarded frame are missing. */
  get isDiscarding(): boolean {
    return this.#toDiscard > 0;
  }

  /** Discards all buffered bytes. */
  clear(): void {
    this.#start = this.#end;
    this.#release();
  }

  #next(prefix: 0 | 1, { min, max }: { min: number; max: number }): Frame | null {
    if (this.buffered < prefix + 4) return null;
    const length = this.#buffer.readInt32BE(this.#start + prefix);
    if (length < min || length > max) {
      throw new ProtocolViolation('a message has an invalid length', {
        detail: `length ${length}, allowed ${min} to ${max}`,
        hint: 'Send less in one call: split a large array.',
      });
    }
    if (this.buffered < prefix + length) return null;
    const type = prefix === 0 ? 0 : (this.#buffer[this.#start] as number);
    const body = this.#buffer.subarray(this.#start + prefix + 4, this.#start + prefix + length);
    this.#start += prefix + length;
    this.#release();
    return { type, body };
  }

  /** Releases the buffer: an idle connection must not hold the memory of its last request. */
  #release(): void {
    if (this.buffered === 0) this.#buffer = empty;
  }
}
