import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { AuthenticationFailed } from '../errors/errors.ts';

/** What the server stores of a secret (RFC 5802, section 3): enough to verify a proof, not enough to create one. */
export interface Verifier {
  salt: Buffer;
  iterations: number;
  storedKey: Buffer;
  serverKey: Buffer;
}

/** They make guesses of a password expensive. The secret is 192 random bits, which nobody guesses, and each new session of Postgres would wait for them. */
const ITERATIONS = 1;

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

export function createVerifier(secret: string): Verifier {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(secret, salt, ITERATIONS, 32, 'sha256');
  return {
    salt,
    iterations: ITERATIONS,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

/** The GS2 header with its channel binding flag, then the bare message with its nonce. */
const firstMessage = /^((?:[ny]|p=([^,]*)),(?:a=[^,]*)?,)((?:n=[^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/;

/** The server's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677). */
export class ScramExchange {
  readonly #verifier: Verifier;
  readonly #binding: Buffer | undefined;
  readonly mechanism: string;
  #gs2Header = '';
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';

  /** `binding`: the hash of the certificate, on an encrypted connection; the client must see the same certificate. */
  constructor(verifier: Verifier, binding?: Buffer) {
    this.#verifier = verifier;
    this.#binding = binding;
    this.mechanism = binding === undefined ? 'SCRAM-SHA-256' : 'SCRAM-SHA-256-PLUS';
  }

  /** client-first-message → server-first-message. */
  first(clientFirst: string): string {
    const [, header, boundTo, bare, clientNonce] = firstMessage.exec(clientFirst) ?? [];
    if (header === undefined || bare === undefined || clientNonce === undefined) throw refused();
    if (boundTo !== (this.#binding === undefined ? undefined : 'tls-server-end-point')) throw refused();
    const { salt, iterations } = this.#verifier;
    this.#gs2Header = header;
    this.#clientFirstBare = bare;
    this.#nonce = clientNonce + randomBytes(18).toString('base64');
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return this.#serverFirst;
  }

  /** client-final-message → server-final-message. */
  final(clientFinal: string): string {
    const [, withoutProof, binding, nonce, proofText] =
      /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([^,]+)$/.exec(clientFinal) ?? [];
    if (withoutProof === undefined || proofText === undefined || nonce !== this.#nonce) throw refused();
    const bound = Buffer.concat([Buffer.from(this.#gs2Header), this.#binding ?? Buffer.alloc(0)]);
    if (binding !== bound.toString('base64')) throw refused();
    const { storedKey, serverKey } = this.#verifier;
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, authMessage);
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== signature.length) throw refused();
    const clientKey = Buffer.from(proof.map((byte, i) => byte ^ (signature[i] as number)));
    if (!timingSafeEqual(sha256(clientKey), storedKey)) throw refused();
    return `v=${hmac(serverKey, authMessage).toString('base64')}`;
  }
}

/** One message for all reasons: it must not help an attacker. */
function refused(): AuthenticationFailed {
  return new AuthenticationFailed('the bridge refused the connection', {
    hint: 'Only the database of this server may connect: the secret is in its foreign server rafiki_bridge.',
  });
}
