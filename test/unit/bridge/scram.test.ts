import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createVerifier, ScramExchange } from '../../../src/bridge/scram.ts';
import { AuthenticationFailed } from '../../../src/errors/errors.ts';

/** What a client that knows the secret says last, whatever it leaves out or changes on the way (RFC 5802, section 3). */
function lastMessage(serverFirst: string, { binding = 'biws', nonce = '', extension = '' } = {}): string {
  const [, sent = '', salt = '', iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const salted = pbkdf2Sync('s', Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  const withoutProof = `c=${binding},r=${nonce || sent}${extension}`;
  const signature = hmac(createHash('sha256').update(clientKey).digest(), `n=,r=abc,${serverFirst},${withoutProof}`);
  return `${withoutProof},p=${Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')}`;
}

// The exchange that must succeed is tested in wire.test.ts, too, against a client that is not ours.
describe('ScramExchange', () => {
  it.each([
    ['another nonce', { nonce: 'abcdef' }],
    ['a binding to another header', { binding: 'eSws' }],
  ])('refuses one who knows the secret, but answers with %s', (_, changed) => {
    const exchange = new ScramExchange(createVerifier('s'));
    const serverFirst = exchange.first('n,,n=,r=abc');
    expect(() => exchange.final(lastMessage(serverFirst, changed))).toThrowError(AuthenticationFailed);
    expect(exchange.final(lastMessage(serverFirst))).toMatch(/^v=/);
  });

  it('includes unknown extensions in the proof', () => {
    const exchange = new ScramExchange(createVerifier('s'));
    const said = lastMessage(exchange.first('n,,n=,r=abc'), { extension: ',x=1' });
    expect(exchange.final(said)).toMatch(/^v=/);
    expect(() => exchange.final(said.replace('x=1', 'x=2'))).toThrowError(AuthenticationFailed);
  });

  it('refuses a client that knows the secret, but has another certificate', () => {
    const exchange = new ScramExchange(createVerifier('s'), Buffer.alloc(32, 1));
    const header = 'p=tls-server-end-point,,';
    const serverFirst = exchange.first(`${header}n=,r=abc`);
    const bound = (hash: Buffer): string => Buffer.concat([Buffer.from(header), hash]).toString('base64');
    const unseen = lastMessage(serverFirst, { binding: bound(Buffer.alloc(32, 2)) });
    expect(() => exchange.final(unseen)).toThrowError(AuthenticationFailed);
    expect(exchange.final(lastMessage(serverFirst, { binding: bound(Buffer.alloc(32, 1)) }))).toMatch(/^v=/);
  });

  it.each(['', 'n,,r=abc', 'p=tls-unique,,n=,r=abc', 'n,,n=,r=', 'n,,n=,r=a\u0000b'])(
    'refuses "%s" as a first message',
    (message) => {
      expect(() => new ScramExchange(createVerifier('s')).first(message)).toThrowError(AuthenticationFailed);
    },
  );

  it('refuses a proof that is none, another nonce, and channel binding that was not agreed', () => {
    const exchange = new ScramExchange(createVerifier('s'));
    const [, nonce] = /^r=([^,]+)/.exec(exchange.first('n,,n=,r=abc')) ?? [];
    const proof = Buffer.alloc(32).toString('base64');
    for (const message of [
      `c=biws,r=${nonce},p=${proof}`,
      `c=biws,r=abc,p=${proof}`,
      `c=eSws,r=${nonce},p=${proof}`,
      `c=biws,r=${nonce},p=AA==`,
      'x',
    ]) {
      expect(() => exchange.final(message)).toThrowError(AuthenticationFailed);
    }
  });

  it('bound to a connection, refuses a client that is not, and one that sees another certificate', () => {
    const exchange = new ScramExchange(createVerifier('s'), Buffer.alloc(32, 1));
    for (const message of ['n,,n=,r=abc', 'y,,n=,r=abc', 'p=tls-unique,,n=,r=abc']) {
      expect(() => exchange.first(message)).toThrowError(AuthenticationFailed);
    }
    const [, nonce] = /^r=([^,]+)/.exec(exchange.first('p=tls-server-end-point,,n=,r=abc')) ?? [];
    const seen = Buffer.concat([Buffer.from('p=tls-server-end-point,,'), Buffer.alloc(32, 2)]).toString('base64');
    const proof = Buffer.alloc(32).toString('base64');
    expect(() => exchange.final(`c=${seen},r=${nonce},p=${proof}`)).toThrowError(AuthenticationFailed);
  });

  it('gives each exchange a nonce of its own', () => {
    const verifier = createVerifier('s');
    const nonces = new Set([1, 2, 3].map(() => new ScramExchange(verifier).first('n,,n=,r=abc')));
    expect(nonces.size).toBe(3);
  });
});
