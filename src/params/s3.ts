import { AwsClient } from 'aws4fetch';
import { EnvironmentUnfit, StoreUnreachable } from '../errors/errors.ts';

/** Immutable objects by key, outside of Postgres. */
export interface ObjectStore {
  /** Rejects if the uploaded bytes do not have the given SHA-256. */
  put(key: string, bytes: Buffer, sha256: Buffer): Promise<void>;
  /** Undefined if the key does not exist. */
  get(key: string): Promise<Buffer | undefined>;
  /** Does nothing if the key does not exist. */
  delete(key: string): Promise<void>;
}

/** A request that takes longer has failed: at 10 MB/s, 1.2 GB arrive in that time. */
const TIMEOUT_MS = 120_000;
/** Retries after responses 5xx and 429, after 50, 100 and 200 ms; saving is retried for longer by its callers. */
const RETRIES = 3;

/** A bucket of Amazon S3 or an S3-compatible server. */
class S3Bucket implements ObjectStore {
  readonly #root: string;
  readonly #client: AwsClient;

  constructor(root: string, client: AwsClient) {
    this.#root = root;
    this.#client = client;
  }

  async put(key: string, bytes: Buffer, sha256: Buffer): Promise<void> {
    const headers = { 'x-amz-content-sha256': sha256.toString('hex'), 'content-type': 'application/octet-stream' };
    await this.#request('PUT', key, { body: new Uint8Array(bytes), headers });
  }

  async get(key: string): Promise<Buffer | undefined> {
    const answer = await this.#request('GET', key);
    return answer && Buffer.from(answer);
  }

  async delete(key: string): Promise<void> {
    await this.#request('DELETE', key);
  }

  /** The body of the response; undefined if the key does not exist. */
  async #request(method: string, key: string, init: RequestInit = {}): Promise<ArrayBuffer | undefined> {
    const url = this.#root + key;
    let answer: Response;
    let body: ArrayBuffer;
    try {
      answer = await this.#client.fetch(url, { ...init, method, signal: AbortSignal.timeout(TIMEOUT_MS) });
      body = await answer.arrayBuffer();
    } catch (cause) {
      throw unreachable(`${method} ${url}`, cause);
    }
    if (answer.ok) return body;
    const text = new TextDecoder().decode(body);
    if (answer.status === 404 && !text.includes('NoSuchBucket')) return undefined;
    const detail = `${method} ${url}: ${answer.status} ${/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? ''}`.trim();
    if (answer.status >= 500 || answer.status === 429) throw unreachable(detail);
    throw new EnvironmentUnfit('S3 refused the request', {
      detail,
      hint: 'Check that the bucket of RAFIKI_PARAMS exists, and that the AWS_… credentials may list, read, write and delete in it.',
    });
  }
}

const unreachable = (detail: string, cause?: unknown): StoreUnreachable =>
  new StoreUnreachable('S3 does not answer', {
    detail,
    hint: 'The request is retried; check RAFIKI_S3_ENDPOINT and the log of that server.',
    cause,
  });

export interface BucketOptions {
  bucket: string;
  /** Folder of all keys; empty for none. */
  prefix: string;
  /** URL of a server other than Amazon's. */
  endpoint?: string | undefined;
  region: string;
  accessKeyId: string | undefined;
  secretAccessKey: string | undefined;
  sessionToken?: string | undefined;
}

export function openBucket({ bucket, prefix, endpoint, region, sessionToken, ...keys }: BucketOptions): ObjectStore {
  const client = new AwsClient({
    accessKeyId: credential('AWS_ACCESS_KEY_ID', keys.accessKeyId),
    secretAccessKey: credential('AWS_SECRET_ACCESS_KEY', keys.secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken }),
    region,
    service: 's3',
    retries: RETRIES,
  });
  const folder = prefix.replace(/\/*$/, prefix === '' ? '' : '/');
  return new S3Bucket(`${rootOf(bucket, region, endpoint)}/${folder}`, client);
}

/** Path-style for servers other than Amazon's, and for bucket names with dots, which match no wildcard certificate. */
function rootOf(bucket: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, '')}/${bucket}`;
  const host = `s3.${region}.amazonaws.com`;
  return bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
}

function credential(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new EnvironmentUnfit(`${name} is not set`, {
    detail: 'Parameters are stored in S3.',
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION if it is not us-east-1.',
  });
}
