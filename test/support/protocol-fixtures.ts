import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Reply } from '../../src/protocol/reply.ts';
import type { BridgeRequest } from '../../src/protocol/request.ts';

/** One call with its requests and replies. KEY, ROLE, STATEMENT and RELATION stand for what differs between runs. */
interface ExampleCall {
  /** In SQL. */
  call: string;
  exchanges: Exchange[];
  /** What the call returns. */
  answer?: unknown;
  /** Or the error that it raises. */
  error?: { sqlstate: string; message: string; detail: string; hint: string };
}

interface Exchange {
  /** The fields that SQL sends. */
  request: string[];
  /** As the server reads them. */
  parsed: BridgeRequest;
  /** Of an array: what the server makes the reply of. */
  values?: (string | null)[];
  reply: Reply;
}

interface NamedRequest {
  statement: string;
  model: string;
  input: string;
  fingerprint: string;
}

const file = path.resolve(import.meta.dirname, '../fixtures/protocol.json');

/** What SQL and the server send to each other: each side is tested against it. */
export const protocol: { calls: ExampleCall[]; fingerprints: NamedRequest[] } = JSON.parse(readFileSync(file, 'utf8'));
