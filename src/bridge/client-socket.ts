import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from './certificate.ts';

export interface SocketListener {
  onData(chunk: Buffer): void;
  /** The client sends nothing more. */
  onEnd(): void;
  /** What was written has gone. */
  onDrain(): void;
  onClose(): void;
}

/** One client's socket, encrypted once it asks for that. What is awaited from the client has its time. */
export class ClientSocket {
  readonly #plain: Socket;
  readonly #listener: SocketListener;
  #socket: Socket;
  #deadline: NodeJS.Timeout | undefined;

  constructor(socket: Socket, listener: SocketListener) {
    this.#plain = socket;
    this.#socket = socket;
    this.#listener = listener;
    this.#hear();
  }

  #hear(): void {
    const { onData, onEnd, onDrain, onClose } = this.#listener;
    this.#socket.on('data', onData);
    this.#socket.on('end', onEnd);
    this.#socket.on('drain', onDrain);
    this.#socket.on('close', onClose);
    this.#socket.on('error', () => this.#socket.destroy()); // a reset is the client's way to go, not our failure
  }

  encrypt({ context }: Certificate): void {
    for (const event of ['data', 'end', 'drain']) this.#socket.removeAllListeners(event);
    const socket = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    socket.disableRenegotiation();
    this.#socket = socket;
    this.#hear();
  }

  /** Bytes that the client has yet to take. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The connection is given up unless {@link settle} says in time that what is awaited has come. */
  await(ms: number): void {
    this.settle();
    this.#deadline = setTimeout(() => this.destroy(), ms);
  }

  settle(): void {
    clearTimeout(this.#deadline);
  }

  /** The last words; the client has `ms` to take them, and nothing that still comes is kept. */
  leave(words: Buffer | undefined, ms: number): void {
    if (words === undefined) this.#socket.end();
    else this.#socket.end(words);
    this.#socket.resume();
    this.await(ms);
  }

  /** Closes without a word. */
  destroy(): void {
    this.#socket.destroy();
    this.#plain.destroy();
  }
}
