import { AuthenticationFailed, ProtocolViolation } from '../errors/errors.ts';
import type { Frame, FrameReader } from '../runtime/frames/frame-reader.ts';
import { checkEncoding } from './encoding.ts';
import * as messages from './messages.ts';
import { ScramExchange, type Verifier } from './scram.ts';

export interface CancelKey {
  pid: number;
  secret: number;
}

export interface HandshakeOptions {
  verifier: Verifier;
  key: CancelKey;
  /** Whether the client is on this machine: only then may the connection be unencrypted. */
  isLocal: boolean;
  /** SCRAM channel binding data: the hash of the certificate, on an encrypted connection. */
  binding?: Buffer | undefined;
  write(bytes: Buffer): void;
  /** The client has proved that it has the secret. Throws if there are too many sessions. */
  onAuthenticated(): void;
  onCancelRequest(key: CancelKey): void;
}

const bridgeUser = 'rafiki';

const MAX_REFUSALS = 2;

/** As in Postgres: the maximum length of a message before authentication. */
const HANDSHAKE_BYTES = 10_000;

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const PASSWORD = 0x70; // p

const [grantedEncryption, refusedEncryption] = [Buffer.from('S'), Buffer.from('N')];

const serverSettings = {
  server_version: '15.0 (Rafiki)',
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  integer_datetimes: 'on',
};

/** From the first byte to ReadyForQuery: startup packet, then SCRAM. Each failure is thrown. */
export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #scram: ScramExchange;
  #phase: 'opening' | 'sasl-first' | 'sasl-final' = 'opening';
  /** Refused requests for encryption: libpq requests each kind once. */
  #refusals = 0;
  #user = '';

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#scram = new ScramExchange(options.verifier, options.binding);
  }

  next(reader: FrameReader): Frame | null {
    return this.#phase === 'opening' ? reader.nextUntyped(HANDSHAKE_BYTES) : reader.next(HANDSHAKE_BYTES);
  }

  /** The connection's next state. */
  take({ type, body }: Frame): 'unauthenticated' | 'encrypt' | 'authenticated' | 'done' {
    if (this.#phase === 'opening') return this.#open(body);
    if (type !== PASSWORD) throw new ProtocolViolation('a SASL response was expected');
    if (this.#phase === 'sasl-final') return this.#saslFinal(body);
    this.#saslFirst(body);
    return 'unauthenticated';
  }

  #open(body: Buffer): 'unauthenticated' | 'encrypt' | 'done' {
    const { write, onCancelRequest, isLocal, binding } = this.#options;
    const code = body.readInt32BE(0);
    if (code === SSL_REQUEST && binding === undefined) {
      write(grantedEncryption);
      return 'encrypt';
    }
    if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
      if (++this.#refusals > MAX_REFUSALS)
        throw new ProtocolViolation('encryption was requested again after it was refused');
      write(refusedEncryption);
      return 'unauthenticated';
    }
    if (code === CANCEL_REQUEST) {
      if (body.length === 12) onCancelRequest({ pid: body.readInt32BE(4), secret: body.readInt32BE(8) });
      return 'done';
    }
    if (!isLocal && binding === undefined) {
      throw new AuthenticationFailed('the bridge accepts connections from other machines over TLS only', {
        hint: 'Connect with: sslmode=require channel_binding=require.',
      });
    }
    if (code >> 16 !== 3) throw new ProtocolViolation('this server speaks version 3 of the PostgreSQL protocol');
    const settings = startupSettings(body.subarray(4));
    this.#user = settings.get('user') ?? '';
    checkEncoding(settings.get('client_encoding') ?? 'UTF8');
    if ((code & 0xffff) !== 0) write(messages.negotiateProtocolVersion());
    write(messages.authenticationSasl(this.#scram.mechanism));
    this.#phase = 'sasl-first';
    return 'unauthenticated';
  }

  /** SASLInitialResponse: mechanism as a C string, int32 length, data. */
  #saslFirst(body: Buffer): void {
    const end = body.indexOf(0);
    if (end < 0 || body.length < end + 5 || body.toString('latin1', 0, end) !== this.#scram.mechanism) {
      throw new AuthenticationFailed(`the bridge accepts ${this.#scram.mechanism} only`);
    }
    this.#options.write(messages.authenticationSaslContinue(this.#scram.first(body.toString('utf8', end + 5))));
    this.#phase = 'sasl-final';
  }

  #saslFinal(body: Buffer): 'authenticated' {
    const proof = this.#scram.final(body.toString('utf8'));
    if (this.#user !== bridgeUser) throw new AuthenticationFailed('the bridge does not know this user');
    const { key, write, onAuthenticated } = this.#options;
    onAuthenticated();
    write(
      Buffer.concat([
        messages.authenticationSaslFinal(proof),
        messages.authenticationOk(),
        ...Object.entries(serverSettings).map(([name, value]) => messages.parameterStatus(name, value)),
        messages.backendKeyData(key.pid, key.secret),
        messages.readyForQuery,
      ]),
    );
    return 'authenticated';
  }
}

function startupSettings(body: Buffer): Map<string, string> {
  const words = body.toString('utf8').split('\0');
  const settings = new Map<string, string>();
  for (let i = 0; i + 1 < words.length && words[i] !== ''; i += 2)
    settings.set(words[i] as string, words[i + 1] as string);
  return settings;
}
