import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import S3rver from 's3rver';
import type { BucketOptions } from '../../src/params/s3.ts';
import { isBodyOf, isSignedWith } from './s3-signature.ts';

/** An S3 server of the test's own with one empty bucket, and what opens it. */
export interface S3Server {
  options: BucketOptions;
  /** What is in the bucket under our prefix: a folder of the server's for each hash. */
  dir: string;
  stop(): Promise<void>;
}

const BUCKET = 'weights';
/** The only credentials that it knows. */
const KEY = 'S3RVER';

/** s3rver; and before it, since it takes any signature of version 4, a door that checks them, and the hash of the body. */
export async function startS3(): Promise<S3Server> {
  const directory = mkdtempSync(path.join(tmpdir(), 'rafiki-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: BUCKET, configs: [] }],
  });
  const behind = await server.run();
  const door = createServer((incoming, outgoing) => void pass(incoming, outgoing, behind.port));
  const port = await new Promise<number>((resolve) => {
    door.listen(0, '127.0.0.1', () => resolve(portOf(door.address())));
  });
  const options = {
    bucket: BUCKET,
    prefix: 'models',
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    accessKeyId: KEY,
    secretAccessKey: KEY,
  };
  return {
    options,
    dir: path.join(directory, BUCKET, 'models'),
    async stop() {
      door.closeAllConnections();
      door.close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0;

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, port: number): Promise<void> {
  const body = await buffer(incoming);
  const { method = '', url = '', headers } = incoming;
  const signed = { method, url, headers };
  if (!isSignedWith(KEY, signed)) return refuse(outgoing, 403, 'SignatureDoesNotMatch');
  if (!isBodyOf(signed, body)) return refuse(outgoing, 400, 'XAmzContentSHA256Mismatch');
  const inner = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(outgoing);
  });
  inner.end(body);
}

function refuse(outgoing: ServerResponse, status: number, code: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code></Error>`);
}
