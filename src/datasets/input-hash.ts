import { hash } from 'node:crypto';
import { TableRow } from '../domain/table.ts';
import type { RawInput } from '../domain/task.ts';

/** The first 64 bits of an input's SHA-256, as of `rafiki._input_hash`; of several columns, that of their JSON. */
export const inputHash = (input: RawInput): bigint =>
  input instanceof TableRow
    ? (input.table.hashes[input.row] as bigint)
    : hash('sha256', input, 'buffer').readBigInt64BE(0);
