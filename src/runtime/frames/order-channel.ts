import type { Duplex } from 'node:stream';
import { RafikiError } from '../../errors/rafiki-error.ts';
import { FrameReader } from './frame-reader.ts';
import { ANSWER, frameOf, ORDER, readNumbered } from './numbered-message.ts';
import type { MessageExtent } from './packed-message.ts';

export interface OrderChannelOptions {
  /** The answer to the last order. What it throws is a fault, too. */
  onAnswer(message: unknown): void;
  /** It did something else than to answer, for a log. Nothing is read any more. */
  onFault(cause: string): void;
}

/** What an answer may have. */
export interface AnswerBounds extends MessageExtent {
  maxBytes: number;
}

/** Bytes that the length of a frame counts besides those of the answer: two lengths and the number. */
const HEAD_BYTES = 12;

/**
 * Orders to a process whose word is not taken, over a pipe: one at a time, and to each one answer, in a frame whose length is compared with what the
 * order allows before it arrives. So no more than one order, and one answer, is in memory, whatever the process does.
 */
export class OrderChannel {
  readonly #pipe: Duplex;
  readonly #options: OrderChannelOptions;
  readonly #reader = new FrameReader();
  #number = 0;
  /** Of the answer that is waited for. */
  #bounds: AnswerBounds | undefined;
  #isClosed = false;

  constructor(pipe: Duplex, options: OrderChannelOptions) {
    this.#pipe = pipe;
    this.#options = options;
    pipe.on('error', () => undefined); // the process ends, or is ended
    pipe.on('data', (bytes: Buffer) => this.#read(bytes));
  }

  /** The next order may be sent after the answer. Throws for a message that is no plain data. */
  send(message: object, bounds: AnswerBounds): void {
    if (this.#isClosed) return;
    const number = (this.#number + 1) % 2 ** 31;
    const pieces = frameOf(ORDER, number, message);
    [this.#number, this.#bounds] = [number, bounds];
    this.#pipe.cork();
    for (const piece of pieces) this.#pipe.write(piece);
    this.#pipe.uncork();
  }

  #read(bytes: Buffer): void {
    if (this.#isClosed) return;
    try {
      const answer = this.#answerIn(bytes);
      if (answer !== undefined) this.#options.onAnswer(answer.message);
    } catch (error) {
      this.#isClosed = true;
      this.#reader.clear();
      this.#pipe.destroy();
      this.#options.onFault(causeOf(error));
    }
  }

  #answerIn(bytes: Buffer): { message: unknown } | undefined {
    if (this.#bounds === undefined) throw new RangeError('it wrote without an order');
    this.#reader.push(bytes);
    const frame = this.#reader.next(this.#bounds.maxBytes + HEAD_BYTES);
    if (frame === null) return undefined;
    const { number, message } = readNumbered(frame, ANSWER, this.#bounds);
    if (number !== this.#number) throw new RangeError(`it answered order ${number}, and not ${this.#number}`);
    if (this.#reader.buffered > 0) throw new RangeError('it wrote more than an answer');
    // otherwise orders that are answered unread would pile up here
    if (this.#pipe.writableLength > 0) throw new RangeError('it answered an order that it had not read');
    this.#bounds = undefined;
    return { message };
  }
}

const causeOf = (error: unknown): string => {
  if (error instanceof RafikiError && error.detail !== undefined) return `${error.message}: ${error.detail}`;
  return error instanceof Error ? error.message : String(error);
};
