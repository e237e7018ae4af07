import { createHash, createHmac } from 'node:crypto';

/** A request as it came over the wire; names of headers in lower case. */
export interface SignedRequest {
  method: string;
  /** Path and query, encoded as they were sent. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
}

const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const hash = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/**
 * Whether a request bears the signature, version 4, of a client with the secret: AWS, "Authenticating Requests: Using the
 * Authorization Header". Written from that text, since the client's own signer can hardly witness for itself.
 */
export function isSignedWith(secret: string, { method, url, headers }: SignedRequest): boolean {
  const header = (name: string): string =>
    String(headers[name] ?? '')
      .trim()
      .replace(/ +/g, ' ');
  const [, scope = '', names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\S+?),\s*SignedHeaders=(\S+?),\s*Signature=([0-9a-f]{64})$/.exec(
      header('authorization'),
    ) ?? [];
  const [path = '', query = ''] = url.split('?');
  const canonical = [
    method,
    path,
    query.split('&').sort().join('&'),
    ...names.split(';').map((name) => `${name}:${header(name)}`),
    '',
    names,
    header('x-amz-content-sha256'),
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', header('x-amz-date'), scope, hash(canonical)].join('\n');
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${secret}`);
  return hmac(key, text).toString('hex') === signature;
}

/** Whether a body is the one that the signature is of. */
export const isBodyOf = ({ headers }: SignedRequest, body: Buffer): boolean =>
  ['UNSIGNED-PAYLOAD', hash(body)].includes(String(headers['x-amz-content-sha256']));
