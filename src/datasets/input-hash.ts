import { createHash } from 'node:crypto';
import { TableRow } from '../domain/table.ts';
import type { RawInput } from '../domain/task.ts';

/** The first 64 bits of an input's SHA-256, as of `rafiki._input_hash`. */
export const inputHash = (input: RawInput): bigint =>
  input instanceof TableRow
    ? (input.table.hashes[input.row] as bigint)
    : createHash('sha256').update(input).digest().readBigInt64BE(0);
