import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Certificate } from './certificate.ts';
import { carriesUtf8, foreignEncoding, requestText, wishedEncoding } from './encoding.ts';
import { type Frame, FrameReader } from './frames.ts';
import { type CancelKey, Handshake } from './handshake.ts';
import type { Reply } from './messages.ts';
import * as messages from './messages.ts';
import type { Verifier } from './scram.ts';

/** Answers the requests of one session, one after the other. */
export interface Conversation {
  answer(request: string): Reply | Promise<Reply>;
  /** The request that is being answered is not wanted any more. */
  cancel(): void;
  close(): void;
}

export interface SessionOptions {
  socket: Socket;
  certificate: Certificate;
  /** Whether the client is on this machine. */
  isLocal: boolean;
  verifier: Verifier;
  key: CancelKey;
  converse(): Conversation;
  onCancelRequest(key: CancelKey): void;
  /** A request was answered. */
  onAnswered(session: object): void;
}

/** How long a stranger may take to say who he is. */
const OPENING_MS = 10_000;
const REQUEST_BYTES = 64 * 1024 * 1024;
/** A client that sends on while we compute is read no further than this. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** How long a client has to take the last message. */
const FAREWELL_MS = 1000;

const QUERY = 0x51; // Q
const TERMINATE = 0x58; // X

/** One connection: a handshake, then simple queries, each answered before the next is read. */
export class Session {
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader();
  #socket: Socket;
  #handshake: Handshake;
  readonly #deadline: NodeJS.Timeout;
  #phase: 'handshake' | 'ready' | 'closed' = 'handshake';
  #encoding = 'UTF8';
  #answering = false;
  #conversation: Conversation | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#handshake = this.#meet(options.socket);
    this.#deadline = setTimeout(() => this.#socket.destroy(), OPENING_MS);
  }

  /** Hears what comes, and begins with a handshake; `binding` where the connection is encrypted. */
  #meet(socket: Socket, binding?: Buffer): Handshake {
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('close', () => this.#closed());
    socket.on('error', () => socket.destroy()); // a reset is the client's way to go, not our failure
    return new Handshake({ ...this.#options, binding, write: (bytes) => void socket.write(bytes) });
  }

  #encrypt(): void {
    if (this.#reader.buffered > 0) {
      throw new ProtocolViolation('bytes came ahead of the encryption that was asked for', {
        detail: `${this.#reader.buffered} bytes: somebody may have put them there`,
      });
    }
    const { context, hash } = this.#options.certificate;
    this.#socket.removeAllListeners('data');
    this.#socket = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    this.#handshake = this.#meet(this.#socket, hash);
  }

  get answering(): boolean {
    return this.#answering;
  }

  cancel(): void {
    this.#conversation?.cancel();
  }

  /** Says why, if the client still listens, and closes. */
  end(error: unknown): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#socket.end(messages.errorResponse('FATAL', reportError(error)));
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  #closed(): void {
    clearTimeout(this.#deadline);
    this.#phase = 'closed';
    this.#conversation?.close();
    this.#conversation = undefined;
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#advance();
    if (this.#answering && this.#reader.buffered > READ_AHEAD_BYTES) this.#socket.pause();
  }

  #advance(): void {
    try {
      while (this.#phase !== 'closed' && !this.#answering) {
        const strange = this.#phase === 'handshake';
        const frame = strange ? this.#handshake.next(this.#reader) : this.#reader.next(REQUEST_BYTES);
        if (frame === null) return;
        if (strange) this.#takeHandshake(frame);
        else this.#takeMessage(frame);
      }
    } catch (error) {
      this.end(error);
    }
  }

  #takeHandshake(frame: Frame): void {
    const standing = this.#handshake.take(frame);
    if (standing === 'strange') return;
    if (standing === 'encrypt') {
      this.#encrypt();
      return;
    }
    clearTimeout(this.#deadline);
    if (standing === 'done') {
      this.#phase = 'closed';
      this.#socket.end();
      return;
    }
    this.#conversation = this.#options.converse();
    this.#phase = 'ready';
  }

  #takeMessage({ type, body }: Frame): void {
    if (type === TERMINATE) {
      this.#phase = 'closed';
      this.#socket.end();
      return;
    }
    if (type !== QUERY) {
      throw new ProtocolViolation('the bridge answers simple queries only', {
        detail: `message type ${String.fromCharCode(type)}`,
      });
    }
    if (this.#setsEncoding(body)) return;
    const reply = this.#answer(body);
    if (!(reply instanceof Promise)) {
      this.#send(reply);
      return;
    }
    this.#answering = true;
    void reply.catch(inBand).then((settled) => {
      this.#answering = false;
      this.#send(settled);
      this.#socket.resume();
      this.#advance();
    });
  }

  #answer(body: Buffer): Reply | Buffer | Promise<Reply> {
    try {
      const text = requestText(body);
      if (!carriesUtf8(this.#encoding)) throw foreignEncoding(this.#encoding);
      return (this.#conversation as Conversation).answer(text);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) return inBand(error);
      return Buffer.concat([messages.errorResponse('ERROR', reportError(error)), messages.readyForQuery]);
    }
  }

  /**
   * libpq asks for the encoding of its database and does not look whether it got it. So the wish is granted, and what
   * comes after is refused where it is not UTF-8: never a garbled text.
   */
  #setsEncoding(body: Buffer): boolean {
    const encoding = wishedEncoding(body);
    if (encoding === undefined) return false;
    this.#encoding = encoding;
    this.#socket.write(
      Buffer.concat([
        messages.commandComplete('SET'),
        messages.parameterStatus('client_encoding', encoding),
        messages.readyForQuery,
      ]),
    );
    return true;
  }

  #send(reply: Reply | Buffer): void {
    if (this.#phase !== 'ready') return;
    this.#socket.write(Buffer.isBuffer(reply) ? reply : messages.queryReply(reply));
    this.#options.onAnswered(this);
  }
}

/** Errors of a request go in-band, so that SQLSTATE, DETAIL and HINT reach the caller of the SQL function whole. */
const inBand = (error: unknown): Reply => ({ s: 'e', v: JSON.stringify(reportError(error)), loc: null });
