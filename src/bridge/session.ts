import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { AuthenticationFailed, InvalidEncoding, NotSupported, ProtocolViolation } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { type Frame, FrameReader } from './frames.ts';
import type { Reply } from './messages.ts';
import * as messages from './messages.ts';
import { mechanism, ScramExchange, type Verifier } from './scram.ts';

/** Answers the requests of one session, one after the other. */
export interface Conversation {
  answer(request: string): Reply | Promise<Reply>;
  /** The request that is being answered is not wanted any more. */
  cancel(): void;
  close(): void;
}

export interface CancelKey {
  pid: number;
  secret: number;
}

export interface SessionOptions {
  socket: Socket;
  verifier: Verifier;
  key: CancelKey;
  converse(): Conversation;
  onCancelRequest(key: CancelKey): void;
}

export const bridgeUser = 'rafiki';

/** As in Postgres: what a stranger may make us hold, in bytes and in time. */
const OPENING_BYTES = 10_000;
const OPENING_MS = 10_000;
const REQUEST_BYTES = 64 * 1024 * 1024;
/** A client that sends on while we compute is read no further than this. */
const READ_AHEAD_BYTES = 1024 * 1024;

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;

const QUERY = 0x51; // Q
const TERMINATE = 0x58; // X
const PASSWORD = 0x70; // p

const refusedEncryption = Buffer.from('N');

type Phase = 'opening' | 'sasl-first' | 'sasl-final' | 'ready' | 'closed';

/** One connection: opening packet, SCRAM, then simple queries, each answered before the next is read. */
export class Session {
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader();
  readonly #scram: ScramExchange;
  readonly #deadline: NodeJS.Timeout;
  #phase: Phase = 'opening';
  #user = '';
  #encoding = 'UTF8';
  #answering = false;
  #conversation: Conversation | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#scram = new ScramExchange(options.verifier);
    const { socket } = options;
    this.#deadline = setTimeout(() => socket.destroy(), OPENING_MS);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('close', () => this.#closed());
    socket.on('error', () => socket.destroy()); // a reset is the client's way to go, not our failure
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
    this.#options.socket.end(messages.errorResponse('FATAL', reportError(error)));
    setTimeout(() => this.#options.socket.destroy(), 1000).unref();
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
    if (this.#answering && this.#reader.buffered > READ_AHEAD_BYTES) this.#options.socket.pause();
  }

  #advance(): void {
    try {
      while (this.#phase !== 'closed' && !this.#answering) {
        const frame = this.#nextFrame();
        if (frame === null) return;
        this.#take(frame);
      }
    } catch (error) {
      this.end(error);
    }
  }

  #nextFrame(): Frame | null {
    if (this.#phase === 'opening') return this.#reader.nextOpening(OPENING_BYTES);
    return this.#reader.next(this.#phase === 'ready' ? REQUEST_BYTES : OPENING_BYTES);
  }

  #take(frame: Frame): void {
    if (this.#phase === 'opening') this.#open(frame.body);
    else if (this.#phase === 'ready') this.#takeMessage(frame);
    else if (frame.type !== PASSWORD) throw new ProtocolViolation('a SASL response was expected');
    else if (this.#phase === 'sasl-first') this.#saslFirst(frame.body);
    else this.#saslFinal(frame.body);
  }

  #open(body: Buffer): void {
    const { socket, onCancelRequest } = this.#options;
    const code = body.readInt32BE(0);
    if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
      socket.write(refusedEncryption);
      return;
    }
    if (code === CANCEL_REQUEST) {
      if (body.length === 12) onCancelRequest({ pid: body.readInt32BE(4), secret: body.readInt32BE(8) });
      this.#phase = 'closed';
      socket.end();
      return;
    }
    if (code >> 16 !== 3) throw new ProtocolViolation('this server speaks version 3 of the PostgreSQL protocol');
    const settings = startupSettings(body.subarray(4));
    this.#user = settings.get('user') ?? '';
    this.#encoding = settings.get('client_encoding') ?? 'UTF8';
    if (!carriesUtf8(this.#encoding)) throw foreignEncoding(this.#encoding);
    if ((code & 0xffff) !== 0) socket.write(messages.negotiateProtocolVersion());
    socket.write(messages.authenticationSasl(mechanism));
    this.#phase = 'sasl-first';
  }

  /** SASLInitialResponse: mechanism as a C string, int32 length, data. */
  #saslFirst(body: Buffer): void {
    const end = body.indexOf(0);
    if (end < 0 || body.length < end + 5 || body.toString('latin1', 0, end) !== mechanism) {
      throw new AuthenticationFailed(`the bridge accepts ${mechanism} only`);
    }
    this.#options.socket.write(messages.authenticationSaslContinue(this.#scram.first(body.toString('utf8', end + 5))));
    this.#phase = 'sasl-final';
  }

  #saslFinal(body: Buffer): void {
    const proof = this.#scram.final(body.toString('utf8'));
    if (this.#user !== bridgeUser) throw new AuthenticationFailed('the bridge does not know this user');
    const { socket, key, converse } = this.#options;
    clearTimeout(this.#deadline);
    this.#conversation = converse();
    this.#phase = 'ready';
    socket.write(
      Buffer.concat([
        messages.authenticationSaslFinal(proof),
        messages.authenticationOk(),
        ...Object.entries(serverSettings).map(([name, value]) => messages.parameterStatus(name, value)),
        messages.backendKeyData(key.pid, key.secret),
        messages.readyForQuery,
      ]),
    );
  }

  #takeMessage({ type, body }: Frame): void {
    if (type === TERMINATE) {
      this.#phase = 'closed';
      this.#options.socket.end();
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
      this.#options.socket.resume();
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
    const [, encoding] = /^set client_encoding (?:to|=) '?([\w-]+)'?;?\0$/i.exec(body.toString('latin1', 0, 100)) ?? [];
    if (encoding === undefined) return false;
    this.#encoding = encoding;
    this.#options.socket.write(
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
    this.#options.socket.write(Buffer.isBuffer(reply) ? reply : messages.queryReply(reply));
  }
}

const serverSettings = {
  server_version: '15.0 (Rafiki)',
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  integer_datetimes: 'on',
};

/** Errors of a request go in-band, so that SQLSTATE, DETAIL and HINT reach the caller of the SQL function whole. */
const inBand = (error: unknown): Reply => ({ s: 'e', v: JSON.stringify(reportError(error)), loc: null });

function startupSettings(body: Buffer): Map<string, string> {
  const words = body.toString('utf8').split('\0');
  const settings = new Map<string, string>();
  for (let i = 0; i + 1 < words.length && words[i] !== ''; i += 2)
    settings.set(words[i] as string, words[i + 1] as string);
  return settings;
}

/** SQL_ASCII is "bytes as they are": they are checked like any others. */
const carriesUtf8 = (encoding: string): boolean =>
  ['utf8', 'unicode', 'sqlascii'].includes(encoding.toLowerCase().replace(/[^a-z0-9]/g, ''));

const foreignEncoding = (encoding: string): NotSupported =>
  new NotSupported('predictions need a database in UTF-8', {
    detail: `the database sends ${encoding.slice(0, 40)}`,
    hint: `Create a database with encoding 'UTF8'; the encoding of the client does not matter.`,
  });

function requestText(body: Buffer): string {
  if (body.indexOf(0) !== body.length - 1) {
    throw new InvalidEncoding('a request has a NUL byte inside', { hint: 'Text in PostgreSQL has no NUL: remove it.' });
  }
  if (!isUtf8(body)) {
    throw new InvalidEncoding('a request is not valid UTF-8', {
      hint: 'Convert the text first: convert_from(bytes, encoding).',
    });
  }
  return body.toString('utf8', 0, body.length - 1);
}
