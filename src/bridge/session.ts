import type { Socket } from 'node:net';
import { ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Reply } from '../protocol/reply.ts';
import { type Frame, type FrameHead, FrameReader } from '../runtime/frames/frame-reader.ts';
import type { MemoryBudget } from '../runtime/memory-budget.ts';
import type { Certificate } from './certificate.ts';
import { ClientSocket } from './client-socket.ts';
import { ClientEncoding } from './encoding.ts';
import { errorReply } from './error-reply.ts';
import { Handshake, type HandshakeOptions } from './handshake.ts';
import type { BridgeLimits } from './limits.ts';
import { LongRequest } from './long-request.ts';
import * as messages from './messages.ts';

export interface SessionOptions extends Pick<HandshakeOptions, 'verifier' | 'key' | 'isLocal' | 'onCancelRequest'> {
  socket: Socket;
  certificate: Certificate;
  limits: BridgeLimits;
  /** Shared by all sessions. */
  longRequestMemory: MemoryBudget;
  converse(): Conversation;
  /** A complete message of the handshake has arrived. */
  onHandshakeMessage(session: BridgeSession): void;
  /** The client is authenticated. Throws if there are too many sessions. */
  onAuthenticated(session: BridgeSession): void;
  /** A reply has been sent. */
  onAnswered(session: object): void;
}

/** The protocol's maximum. Long requests are accepted or refused by their first bytes. */
const MAX_BYTES = 2 ** 31 - 1;
/** Enough for the verb and the access key. */
const PREFIX_BYTES = 128;

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
  /** Why no further request is read now. */
  #busy: 'no' | 'answering' | 'screening' | 'sending' = 'no';
  #conversation: Conversation | undefined;
  #long: LongRequest | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#connection = new ClientSocket(options.socket, {
      onData: (chunk) => this.#receive(chunk),
      onEnd: () => this.#close(),
      onDrain: () => this.#onDrain(),
      onClose: () => this.#onClosed(),
    });
    this.#handshake = this.#createHandshake();
    this.#connection.startDeadline(options.limits.handshakeMs);
  }

  /** `binding`: the certificate's hash, on an encrypted connection. */
  #createHandshake(binding?: Buffer): Handshake {
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
    this.#handshake = this.#createHandshake(certificate.hash);
  }

  get answering(): boolean {
    return this.#busy === 'answering';
  }

  cancel(): void {
    this.#conversation?.cancel();
  }

  /** Sends the error to the client and closes. */
  end(error: unknown): void {
    if (this.#phase !== 'closed') this.#close(messages.errorResponse('FATAL', reportError(error)));
  }

  /** Closes immediately, without a message. */
  destroy(): void {
    this.#connection.destroy();
  }

  #close(lastMessage?: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#reader.clear();
    this.#connection.close(lastMessage, this.#options.limits.closingMs);
  }

  #onClosed(): void {
    this.#connection.clearDeadline();
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
    if (this.#busy !== 'no' && this.#reader.buffered > this.#options.limits.pipelinedBytes) this.#connection.pause();
  }

  #advance(): void {
    try {
      while (this.#phase === 'handshake' ? this.#takeHandshake() : this.#takeRequest());
    } catch (error) {
      this.end(error);
    }
  }

  /** Returns whether to read on, as does {@link #takeRequest}. */
  #takeHandshake(): boolean {
    const frame = this.#handshake.next(this.#reader);
    if (frame === null) return false;
    this.#options.onHandshakeMessage(this);
    const state = this.#handshake.take(frame);
    if (state === 'encrypt') this.#encrypt();
    else if (state === 'done') this.#close();
    else if (state === 'authenticated') {
      this.#connection.clearDeadline();
      this.#conversation = this.#options.converse();
      this.#phase = 'ready';
    }
    return true;
  }

  #takeRequest(): boolean {
    if (this.#phase !== 'ready' || this.#busy !== 'no') return false;
    if (this.#connection.unsentBytes > this.#options.limits.sendBytes) {
      this.#busy = 'sending';
      this.#connection.startDeadline(this.#options.limits.sendMs);
      return false;
    }
    if (this.#long === undefined) {
      const head = this.#reader.head(this.#options.limits.longBytes, PREFIX_BYTES);
      if (head !== null) {
        this.#screen(head);
        return true;
      }
    }
    return this.#long?.refusal === undefined ? this.#takeFrame() : this.#takeRefused(this.#long);
  }

  #screen({ bytes, prefix }: FrameHead): void {
    const { longRequestMemory, limits } = this.#options;
    const conversation = this.#conversation as Conversation;
    const request = new LongRequest(bytes, longRequestMemory);
    this.#long = request;
    this.#connection.startDeadline(limits.longRequestMs);
    const screened = request.screen(() => conversation.admit(prefix.toString('latin1'), bytes));
    if (screened === undefined) return;
    this.#busy = 'screening';
    this.#connection.startDeadline(2 * limits.longRequestMs); // those that it waits for have as long as a request
    void screened.then(() => this.#resume(limits.longRequestMs));
  }

  /** A refused request gets its reply when all of it has arrived. */
  #takeRefused(request: LongRequest): boolean {
    if (!request.discardFrom(this.#reader)) return false;
    this.#connection.clearDeadline();
    this.#answered(errorReply(request.refusal));
    return true;
  }

  #takeFrame(): boolean {
    const frame = this.#reader.next(MAX_BYTES);
    if (frame === null) return false;
    if (this.#long !== undefined) this.#connection.clearDeadline();
    this.#takeMessage(frame);
    return true;
  }

  #takeMessage({ type, body }: Frame): void {
    if (type === TERMINATE) {
      this.#close();
      return;
    }
    if (type !== QUERY) {
      throw new ProtocolViolation('the bridge answers simple queries only', {
        detail: `message type ${String.fromCharCode(type)}`,
      });
    }
    const encoding = this.#encoding.requested(body);
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
      return (this.#conversation as Conversation).answer(this.#encoding.decode(body));
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

  #onDrain(): void {
    if (this.#busy !== 'sending') return;
    this.#connection.clearDeadline();
    this.#resume();
  }

  #resume(deadlineMs?: number): void {
    if (this.#phase === 'closed') return;
    if (deadlineMs !== undefined) this.#connection.startDeadline(deadlineMs);
    this.#busy = 'no';
    this.#connection.resume();
    this.#advance();
  }
}
