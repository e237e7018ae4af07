import { describe, expect, it } from 'vitest';
import { createVerifier, ScramExchange } from '../../../src/bridge/scram.ts';
import { AuthenticationFailed } from '../../../src/errors/errors.ts';

// The exchange that must succeed is tested in wire.test.ts, against a client that is not ours.
describe('ScramExchange', () => {
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
