import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from './certificate.ts';

export interface SocketListener {
  onData(chunk: Buffer): void;
  /** The client closed its sending side. */
  onEnd(): void;
  /** The send buffer is empty. */
  onDrain(): void;
  onClose(): void;
}

/** A client's socket, encrypted after the client requests it, with a deadline for what the client must do next. */
export class ClientSocket {
  readonly #plain: Socket;
  readonly #listener: SocketListener;
  #socket: Socket;
  #deadline: NodeJS.Timeout | undefined;

  constructor(socket: Socket, listener: SocketListener) {
    this.#plain = socket;
    this.#socket = socket;
    this.#listener = listener;
    this.#attach();
  }

  #attach(): void {
    const { onData, onEnd, onDrain, onClose } = this.#listener;
    this.#socket.on('data', onData);
    this.#socket.on('end', onEnd);
    this.#socket.on('drain', onDrain);
    this.#socket.on('close', onClose);
    this.#socket.on('error', () => this.#socket.destroy()); // a reset by the client is a normal end
  }

  encrypt({ context }: Certificate): void {
    for (const event of ['data', 'end', 'drain']) this.#socket.removeAllListeners(event);
    const socket = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    socket.disableRenegotiation();
    this.#socket = socket;
    this.#attach();
  }

  /** Bytes in the send buffer. */
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

  /** Closes the connection after `ms` unless {@link clearDeadline} is called before. */
  startDeadline(ms: number): void {
    this.clearDeadline();
    this.#deadline = setTimeout(() => this.destroy(), ms);
  }

  clearDeadline(): void {
    clearTimeout(this.#deadline);
  }

  /** Sends the last message and closes; the client has `ms` to read it. Further data from the client is discarded. */
  close(lastMessage: Buffer | undefined, ms: number): void {
    if (lastMessage === undefined) this.#socket.end();
    else this.#socket.end(lastMessage);
    this.#socket.resume();
    this.startDeadline(ms);
  }

  /** Closes immediately, without a message. */
  destroy(): void {
    this.#socket.destroy();
    this.#plain.destroy();
  }
}
