import { createReadStream } from 'node:fs';
import { CorruptParams } from '../errors/errors.ts';
import type { LabelledText } from './split.ts';

/** The rows of a data file, one JSON array [label, text] a line. */
export async function readDataFile(file: string): Promise<LabelledText[]> {
  const rows: LabelledText[] = [];
  for await (const line of linesOf(createReadStream(file, { encoding: 'utf8' }))) rows.push(parseRow(line));
  return rows;
}

/** Lines end with a line feed only: node:readline also ends them at U+2028, which JSON leaves as it is in a text. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let begun: string[] = [];
  for await (const chunk of chunks) {
    const parts = chunk.split('\n');
    for (const part of parts.slice(0, -1)) {
      yield begun.join('') + part;
      begun = [];
    }
    begun.push(parts.at(-1) ?? '');
  }
  const rest = begun.join('');
  if (rest !== '') yield rest;
}

function parseRow(line: string): LabelledText {
  const row: unknown = JSON.parse(line);
  if (Array.isArray(row) && typeof row[0] === 'string' && typeof row[1] === 'string')
    return { label: row[0], text: row[1] };
  throw new CorruptParams('the cached data file cannot be read', { hint: 'Delete it: it is read again when needed.' });
}
