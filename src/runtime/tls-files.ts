import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { EnvironmentUnfit } from '../errors/errors.ts';

export interface TlsFiles {
  cert: Buffer;
  key: Buffer;
}

/** Reads a certificate and its key, each in PEM. Throws {@link EnvironmentUnfit} for files that are not, or do not belong together. */
export async function readTlsFiles(certFile: string, keyFile: string): Promise<TlsFiles> {
  const files = { cert: await readFile(certFile), key: await readFile(keyFile) };
  try {
    createSecureContext(files);
  } catch (cause) {
    throw new EnvironmentUnfit(`${certFile} and ${keyFile} are no certificate and its key`, {
      detail: (cause as Error).message,
      hint: 'Both must be PEM files (-----BEGIN …), the key without a passphrase, and that of the first certificate.',
      cause,
    });
  }
  return files;
}
