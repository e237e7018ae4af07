import { Socket } from 'node:net';
import { FrameReader } from './frame-reader.ts';
import { ANSWER, frameOf, ORDER, readNumbered } from './numbered-message.ts';
import { anyExtent } from './packed-message.ts';

/** The descriptor of the pipe in a process that gets orders: what it or a library prints is no answer. */
const ORDER_FD = 3;
/** Orders come from the process that has started this one. */
const MAX_ORDER_BYTES = 2 ** 31 - 1;

/**
 * The pipe in a process that gets its orders from the one that has started it, see `order-channel.ts`; they are answered in their sequence. When
 * the pipe ends, so does the process.
 */
export class OrderPipe<Order> {
  readonly #pipe = new Socket({ fd: ORDER_FD, readable: true, writable: true });
  readonly #reader = new FrameReader();
  /** Of orders without an answer. */
  readonly #numbers: number[] = [];

  constructor(onOrder: (order: Order) => void) {
    const end = (): void => void process.kill(process.pid, 'SIGKILL'); // not by exit(), which may wait for a graph that does not end
    this.#pipe.on('error', end).on('close', end);
    this.#pipe.on('data', (bytes: Buffer) => {
      this.#reader.push(bytes);
      for (let frame = this.#reader.next(MAX_ORDER_BYTES); frame !== null; frame = this.#reader.next(MAX_ORDER_BYTES)) {
        const { number, message } = readNumbered(frame, ORDER, anyExtent);
        this.#numbers.push(number);
        onOrder(message as Order);
      }
    });
  }

  /** Answers the oldest order. Throws for a message that is no plain data. */
  answer(message: unknown): void {
    const [number] = this.#numbers;
    if (number === undefined) throw new Error('there is no order to answer');
    const pieces = frameOf(ANSWER, number, message);
    this.#numbers.shift();
    this.#pipe.cork();
    for (const piece of pieces) this.#pipe.write(piece);
    this.#pipe.uncork();
  }
}
