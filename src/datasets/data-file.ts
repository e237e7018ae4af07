import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CorruptParams } from '../errors/errors.ts';
import type { LabelledText } from './split.ts';

/** The rows of a data file, one JSON array [label, text] a line. */
export async function readDataFile(file: string): Promise<LabelledText[]> {
  const rows: LabelledText[] = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    rows.push(parseRow(line));
  }
  return rows;
}

function parseRow(line: string): LabelledText {
  const row: unknown = JSON.parse(line);
  if (Array.isArray(row) && typeof row[0] === 'string' && typeof row[1] === 'string') return { label: row[0], text: row[1] };
  throw new CorruptParams('the cached data file cannot be read', { hint: 'Delete it: it is read again when needed.' });
}
