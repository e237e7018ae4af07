import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Cancelled, ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Certificate } from './certificate.ts';
import { carriesUtf8, foreignEncoding, requestText, wishedEncoding } from './encoding.ts';
import { type Frame, type FrameHead, FrameReader } from './frames.ts';
import { type CancelKey, Handshake } from './handshake.ts';
import type { BridgeLimits } from './limits.ts';
import { LongRequest } from './long-request.ts';
import * as messages from './messages.ts';
import type { Room } from './room.ts';
import type { Verifier } from './scram.ts';

export interface SessionOptions {
  socket: Socket;
  certificate: Certificate;
  /** Whether the client is on this machine. */
  isLocal: boolean;
  verifier: Verifier;
  key: CancelKey;
  limits: BridgeLimits;
  /** Shared by all sessions. */
  room: Room;
  converse(): Conversation;
  /** A stranger sent a whole message, of which a handshake has few: single bytes of one are no word. */
  onWord(session: BridgeSession): void;
  /** A stranger knows the secret: throws where all places are taken. */
  onKnown(session: BridgeSession): void;
  onCancelRequest(key: CancelKey): void;
  /** A request was answered. */
  onAnswered(session: object): void;
}

/** As the protocol has it. A long request is refused by its first bytes, whatever their number is. */
const MOST_BYTES = 2 ** 31 - 1;
/** The verb, and the key by which access is given. */
const START_BYTES = 128;

const QUERY = 0x51; // Q
const TERMINATE = 0x58; // X

/** One connection: a handshake, then simple queries, each answered before the next is read. */
export class BridgeSession {
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader();
  #socket: Socket;
  #handshake: Handshake;
  /** When the connection is given up: what is awaited from the client has not come by then. */
  #deadline: NodeJS.Timeout;
  #phase: 'handshake' | 'ready' | 'closed' = 'handshake';
  #encoding = 'UTF8';
  /** Why no further request is taken now. */
  #busy: 'no' | 'answering' | 'screening' | 'sending' = 'no';
  #conversation: Conversation | undefined;
  #long: { request: LongRequest; gone: AbortController } | undefined;
  /** Whether the request that is coming is thrown away. */
  #discarding = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#handshake = this.#meet(options.socket);
    this.#deadline = setTimeout(() => this.destroy(), options.limits.openingMs);
  }

  /** Hears what comes, and begins with a handshake; `binding` where the connection is encrypted. */
  #meet(socket: Socket, binding?: Buffer): Handshake {
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('end', () => this.#leave());
    socket.on('drain', () => this.#sent());
    socket.on('close', () => this.#closed());
    socket.on('error', () => socket.destroy()); // a reset is the client's way to go, not our failure
    return new Handshake({
      ...this.#options,
      binding,
      write: (bytes) => void socket.write(bytes),
      onKnown: () => this.#options.onKnown(this),
    });
  }

  #encrypt(): void {
    if (this.#reader.buffered > 0) {
      throw new ProtocolViolation('bytes came ahead of the encryption that was asked for', {
        detail: `${this.#reader.buffered} bytes: somebody may have put them there`,
      });
    }
    const { context, hash } = this.#options.certificate;
    for (const event of ['data', 'end', 'drain']) this.#socket.removeAllListeners(event);
    const socket = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    socket.disableRenegotiation();
    this.#socket = socket;
    this.#handshake = this.#meet(socket, hash);
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
    this.#socket.destroy();
    this.#options.socket.destroy();
  }

  /** The last words; the client has a moment to take them, and nothing that still comes is kept. */
  #leave(words?: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#reader.clear();
    if (words === undefined) this.#socket.end();
    else this.#socket.end(words);
    this.#socket.resume();
    this.#await(this.#options.limits.farewellMs);
  }

  #await(ms: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.destroy(), ms);
  }

  #closed(): void {
    clearTimeout(this.#deadline);
    this.#phase = 'closed';
    this.#reader.clear();
    this.#long?.gone.abort(new Cancelled('the client is gone'));
    this.#giveRoom();
    this.#conversation?.close();
    this.#conversation = undefined;
  }

  #receive(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#reader.push(chunk);
    this.#advance();
    if (this.#busy !== 'no' && this.#reader.buffered > this.#options.limits.readAheadBytes) this.#socket.pause();
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
    this.#options.onWord(this);
    const standing = this.#handshake.take(frame);
    if (standing === 'encrypt') this.#encrypt();
    else if (standing === 'done') this.#leave();
    else if (standing === 'known') {
      clearTimeout(this.#deadline);
      this.#conversation = this.#options.converse();
      this.#phase = 'ready';
    }
    return true;
  }

  #takeRequest(): boolean {
    if (this.#phase !== 'ready' || this.#busy !== 'no') return false;
    if (this.#socket.writableLength > this.#options.limits.sendBytes) {
      this.#busy = 'sending';
      this.#await(this.#options.limits.sendMs);
      return false;
    }
    if (this.#long === undefined) {
      const head = this.#reader.head(this.#options.limits.longBytes, START_BYTES);
      if (head !== null) {
        this.#screen(head);
        return true;
      }
    }
    const refusal = this.#long?.request.refusal;
    return refusal === undefined ? this.#takeFrame() : this.#takeRefused(refusal);
  }

  #screen({ bytes, start }: FrameHead): void {
    const { room, limits } = this.#options;
    const conversation = this.#conversation as Conversation;
    const gone = new AbortController();
    const request = new LongRequest({ bytes, room, signal: gone.signal });
    this.#long = { request, gone };
    this.#await(limits.arrivalMs);
    const screened = request.screen(() => conversation.admit(start.toString('latin1'), bytes));
    if (screened === undefined) return;
    this.#busy = 'screening';
    void screened.then(() => this.#resume());
  }

  /** What was refused is answered when the client has sent it all. */
  #takeRefused(refusal: unknown): boolean {
    if (!this.#discarding) this.#reader.discard();
    this.#discarding = this.#reader.isDiscarding;
    if (this.#discarding) return false;
    clearTimeout(this.#deadline);
    this.#answered(refusalOf(refusal));
    return true;
  }

  #takeFrame(): boolean {
    const frame = this.#reader.next(MOST_BYTES);
    if (frame === null) return false;
    if (this.#long !== undefined) clearTimeout(this.#deadline);
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
    if (this.#setsEncoding(body)) return;
    const reply = this.#answer(body);
    if (!(reply instanceof Promise)) {
      this.#answered(reply);
      return;
    }
    this.#busy = 'answering';
    void reply.catch(refusalOf).then((settled) => {
      this.#answered(settled);
      this.#resume();
    });
  }

  #answer(body: Buffer): Reply | Buffer | Promise<Reply> {
    try {
      const text = requestText(body);
      if (!carriesUtf8(this.#encoding)) throw foreignEncoding(this.#encoding);
      return (this.#conversation as Conversation).answer(text);
    } catch (error) {
      return refusalOf(error);
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
    this.#socket.write(messages.encodingSet(encoding));
    return true;
  }

  #answered(reply: Reply | Buffer): void {
    this.#giveRoom();
    this.#send(reply);
  }

  #giveRoom(): void {
    this.#long?.request.release();
    this.#long = undefined;
  }

  #send(reply: Reply | Buffer): void {
    if (this.#phase !== 'ready') return;
    this.#socket.write(Buffer.isBuffer(reply) ? reply : messages.queryReply(reply));
    this.#options.onAnswered(this);
  }

  #sent(): void {
    if (this.#busy !== 'sending') return;
    clearTimeout(this.#deadline);
    this.#resume();
  }

  #resume(): void {
    if (this.#phase === 'closed') return;
    this.#busy = 'no';
    this.#socket.resume();
    this.#advance();
  }
}

/** Errors of a request go in-band, so that SQLSTATE, DETAIL and HINT reach the caller of the SQL function whole. */
function refusalOf(error: unknown): Reply | Buffer {
  const report = reportError(error);
  if (error instanceof ProtocolViolation) {
    return Buffer.concat([messages.errorResponse('ERROR', report), messages.readyForQuery]);
  }
  return { s: 'e', v: JSON.stringify(report), loc: null };
}
