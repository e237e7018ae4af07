import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { generate } from 'selfsigned';

/** What a server encrypts with. */
export interface Certificate {
  context: SecureContext;
  /** What SCRAM binds an encrypted connection to: `tls-server-end-point` of RFC 5929. */
  hash: Buffer;
}

/**
 * Each server makes its own, signed by nobody. Nobody can stand between it and the database all the same: SCRAM-SHA-256-PLUS
 * proves to both ends that the other knows the secret and sees the same certificate.
 */
export async function createCertificate(): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'rafiki' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
  });
  const hash = createHash('sha256').update(new X509Certificate(cert).raw).digest();
  return { context: createSecureContext({ key, cert }), hash };
}
