import type { Socket } from 'node:net';
import { ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Certificate } from './certificate.ts';
import { ClientSocket } from './client-socket.ts';
import { ClientEncoding } from './encoding.ts';
import { errorReply } from './error-reply.ts';
import { type Frame, type FrameHead, FrameReader } from './frames.ts';
import { Handshake, type HandshakeOptions } from './handshake.ts';
import type { BridgeLimits } from './limits.ts';
import { LongRequest } from './long-request.ts';
import * as messages from './messages.ts';
import type { Room } from './room.ts';

export interface SessionOptions extends Pick<HandshakeOptions, 'verifier' | 'key' | 'isLocal' | 'onCancelRequest'> {
  socket: Socket;
  certificate: Certificate;
  limits: BridgeLimits;
  /** Shared by all sessions. */
  room: Room;
  converse(): Conversation;
  /** A whole message of the handshake came, which has few. */
  onHandshakeMessage(session: BridgeSession): void;
  /** The client knows the secret: throws where all places are taken. */
  onAuthenticated(session: BridgeSession): void;
  /** A request was answered. */
  onAnswered(session: object): void;
}

/** As the protocol has it. A long request is refused by its first bytes, whatever their number is. */
const MAX_BYTES = 2 ** 31 - 1;
/** The verb, and the key by which access is given. */
const START_BYTES = 128;

const QUERY = 0x51; // Q
const TERMINATE = 0x58; // X

/** One connection: a handshake, then simple queries, each answered before the next is read. */
export class BridgeSession {
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader();
  readonly #connection: ClientSocket;
  #handshake: Handshake;
  #phase: 'handshake' | 'ready' | 'closed' = 'handshake';
  readonly #encoding = new ClientEncoding();
  /** Why no further request is taken now. */
  #busy: 'no' | 'answering' | 'screening' | 'sending' = 'no';
  #conversation: Conversation | undefined;
  #long: LongRequest | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#connection = new ClientSocket(options.socket, {
      onData: (chunk) => this.#receive(chunk),
      onEnd: () => this.#leave(),
      onDrain: () => this.#sent(),
      onClose: () => this.#closed(),
    });
    this.#handshake = this.#greet();
    this.#connection.await(options.limits.openingMs);
  }

  /** `binding` where the connection is encrypted. */
  #greet(binding?: Buffer): Handshake {
    return new Handshake({
      ...this.#options,
      binding,
      write: (bytes) => this.#connection.write(bytes),
      onAuthenticated: () => this.#options.onAuthenticated(this),
    });
  }

  #encrypt(): void {
    this.#reader.checkEmpty();
    const { certificate } = this.#options;
    this.#connection.encrypt(certificate);
    this.#handshake = this.#greet(certificate.hash);
  }

  get answering(): boolean {
    return this.#busy === 'answering';
  }

  cancel(): void {
    this.#conversation?.cancel();
  }

  /** Says why, if the client still listens, and closes. */
  end(error: unknown): void {
    if (this.#phase !== 'closed') this.#leave(messages.errorResponse('FATAL', reportError(error)));
  }

  /** Closes without a word. */
  destroy(): void {
    this.#connection.destroy();
  }

  #leave(words?: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#reader.clear();
    this.#connection.leave(words, this.#options.limits.farewellMs);
  }

  #closed(): void {
    this.#connection.settle();
    this.#phase = 'closed';
    this.#reader.clear();
    this.#long?.abort();
    this.#long = undefined;
    this.#conversation?.close();
    this.#conversation = undefined;
  }

  #receive(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#reader.push(chunk);
    this.#advance();
    if (this.#busy !== 'no' && this.#reader.buffered > this.#options.limits.readAheadBytes) this.#connection.pause();
  }

  #advance(): void {
    try {
      while (this.#phase === 'handshake' ? this.#takeHandshake() : this.#takeRequest());
    } catch (error) {
      this.end(error);
    }
  }

  /** Whether there may be more to take, as below. */
  #takeHandshake(): boolean {
    const frame = this.#handshake.next(this.#reader);
    if (frame === null) return false;
    this.#options.onHandshakeMessage(this);
    const state = this.#handshake.take(frame);
    if (state === 'encrypt') this.#encrypt();
    else if (state === 'done') this.#leave();
    else if (state === 'authenticated') {
      this.#connection.settle();
      this.#conversation = this.#options.converse();
      this.#phase = 'ready';
    }
    return true;
  }

  #takeRequest(): boolean {
    if (this.#phase !== 'ready' || this.#busy !== 'no') return false;
    if (this.#connection.unsentBytes > this.#options.limits.sendBytes) {
      this.#busy = 'sending';
      this.#connection.await(this.#options.limits.sendMs);
      return false;
    }
    if (this.#long === undefined) {
      const head = this.#reader.head(this.#options.limits.longBytes, START_BYTES);
      if (head !== null) {
        this.#screen(head);
        return true;
      }
    }
    return this.#long?.refusal === undefined ? this.#takeFrame() : this.#takeRefused(this.#long);
  }

  #screen({ bytes, start }: FrameHead): void {
    const { room, limits } = this.#options;
    const conversation = this.#conversation as Conversation;
    const request = new LongRequest(bytes, room);
    this.#long = request;
    this.#connection.await(limits.arrivalMs);
    const screened = request.screen(() => conversation.admit(start.toString('latin1'), bytes));
    if (screened === undefined) return;
    this.#busy = 'screening';
    void screened.then(() => this.#resume());
  }

  /** What was refused is answered when the client has sent it all. */
  #takeRefused(request: LongRequest): boolean {
    if (!request.discardFrom(this.#reader)) return false;
    this.#connection.settle();
    this.#answered(errorReply(request.refusal));
    return true;
  }

  #takeFrame(): boolean {
    const frame = this.#reader.next(MAX_BYTES);
    if (frame === null) return false;
    if (this.#long !== undefined) this.#connection.settle();
    this.#takeMessage(frame);
    return true;
  }

  #takeMessage({ type, body }: Frame): void {
    if (type === TERMINATE) {
      this.#leave();
      return;
    }
    if (type !== QUERY) {
      throw new ProtocolViolation('the bridge answers simple queries only', {
        detail: `message type ${String.fromCharCode(type)}`,
      });
    }
    const encoding = this.#encoding.grant(body);
    if (encoding !== undefined) {
      this.#connection.write(messages.encodingSet(encoding));
      return;
    }
    const reply = this.#answer(body);
    if (!(reply instanceof Promise)) {
      this.#answered(reply);
      return;
    }
    this.#busy = 'answering';
    void reply.catch(errorReply).then((settled) => {
      this.#answered(settled);
      this.#resume();
    });
  }

  #answer(body: Buffer): Reply | Buffer | Promise<Reply> {
    try {
      return (this.#conversation as Conversation).answer(this.#encoding.textOf(body));
    } catch (error) {
      return errorReply(error);
    }
  }

  #answered(reply: Reply | Buffer): void {
    this.#long?.release();
    this.#long = undefined;
    if (this.#phase !== 'ready') return;
    this.#connection.write(Buffer.isBuffer(reply) ? reply : messages.queryReply(reply));
    this.#options.onAnswered(this);
  }

  #sent(): void {
    if (this.#busy !== 'sending') return;
    this.#connection.settle();
    this.#resume();
  }

  #resume(): void {
    if (this.#phase === 'closed') return;
    this.#busy = 'no';
    this.#connection.resume();
    this.#advance();
  }
}
