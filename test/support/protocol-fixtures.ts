import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Reply } from '../../src/protocol/reply.ts';
import type { BridgeRequest } from '../../src/protocol/request.ts';

/** One call and all that is said about it. KEY, ROLE and STATEMENT stand for what is another at each run. */
interface Exchange {
  /** In SQL. */
  call: string;
  /** The fields that SQL sends. */
  request: string[];
  /** As the server reads them. */
  parsed: BridgeRequest;
  /** Of an array: what the server makes the reply of. */
  values?: (string | null)[];
  reply: Reply;
  /** What the call returns. */
  answer: unknown;
}

interface NamedRequest {
  statement: string;
  model: string;
  input: string;
  fingerprint: string;
}

const file = path.resolve(import.meta.dirname, '../fixtures/protocol.json');

/** What SQL and the server say to each other: each side is tested against it. */
export const protocol: { requests: Exchange[]; fingerprints: NamedRequest[] } = JSON.parse(readFileSync(file, 'utf8'));
