import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { generate } from 'selfsigned';

/** The server's TLS certificate. */
export interface Certificate {
  context: SecureContext;
  /** SCRAM channel binding data of an encrypted connection: `tls-server-end-point` of RFC 5929. */
  hash: Buffer;
}

/**
 * Each server creates its own self-signed certificate. A man in the middle is still detected: SCRAM-SHA-256-PLUS proves
 * to both ends that the other has the secret and sees the same certificate.
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
