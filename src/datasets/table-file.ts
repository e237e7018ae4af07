import { deserialize } from 'node:v8';
import type { NamedLabel } from '../domain/kinds/kind.ts';
import type { ColumnValues, Table } from '../domain/table.ts';

/** Rows of several columns with their labels: of a study, or of a block of its data file. */
export interface LabelledTable extends Table {
  labels: readonly NamedLabel[];
  /** Places in `validationFlags`. */
  flags: Uint8Array;
}

/** Joins the blocks of a data file, which is trusted: it is this user's, and its hash is right. */
export async function readTable(chunks: AsyncIterable<Buffer>): Promise<LabelledTable> {
  const blocks: LabelledTable[] = [];
  for await (const bytes of recordsOf(chunks)) blocks.push(deserialize(bytes) as LabelledTable);
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  const known = new Map<NamedLabel, NamedLabel>();
  const labels = blocks.flatMap((block) => block.labels.map((label) => shared(known, label)));
  const flags = new Uint8Array(length);
  const hashes = new BigInt64Array(length);
  let at = 0;
  for (const block of blocks) {
    flags.set(block.flags, at);
    hashes.set(block.hashes, at);
    at += block.length;
  }
  const columns = new Map<string, ColumnValues>();
  for (const name of blocks[0]?.columns.keys() ?? []) columns.set(name, joined(blocks, name, length));
  return { length, columns, hashes, labels, flags };
}

/** The same string for all rows of a class: each block has its own. */
function shared(known: Map<NamedLabel, NamedLabel>, label: NamedLabel): NamedLabel {
  if (typeof label !== 'string') return label;
  const found = known.get(label) ?? label;
  known.set(label, found);
  return found;
}

/** A column of all blocks, which lose theirs, so that there is only one of them twice. */
function joined(blocks: readonly LabelledTable[], name: string, length: number): ColumnValues {
  const parts = blocks.map((block) => {
    const part = block.columns.get(name);
    if (part === undefined) throw new RangeError(`a block has no column "${name}"`);
    (block.columns as Map<string, ColumnValues>).delete(name);
    return part;
  });
  const [first] = parts;
  if (first !== undefined && 'codes' in first) return joinedTexts(parts, length);
  const kind = first?.kind ?? '';
  const numbers = new (first?.numbers instanceof Float64Array ? Float64Array : Float32Array)(length);
  let at = 0;
  for (const part of parts) {
    if (!('numbers' in part)) throw new RangeError(`column "${name}" has texts and numbers`);
    numbers.set(part.numbers, at);
    at += part.numbers.length;
  }
  return { kind, numbers };
}

function joinedTexts(parts: readonly ColumnValues[], length: number): ColumnValues {
  const codes = new Int32Array(length);
  const places = new Map<string, number>();
  let at = 0;
  for (const part of parts) {
    if (!('codes' in part)) throw new RangeError('a column has texts and numbers');
    const own = part.texts.map((text) => {
      const place = places.get(text) ?? places.size;
      places.set(text, place);
      return place;
    });
    for (const code of part.codes) codes[at++] = code < 0 ? -1 : (own[code] as number);
  }
  return { kind: parts[0]?.kind ?? '', codes, texts: [...places.keys()] };
}

/** Bytes that are preceded by their number, a uint32. */
async function* recordsOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    pending.push(chunk);
    bytes += chunk.length;
    if (bytes < 4 || bytes < sizeOf(pending)) continue;
    let all = Buffer.concat(pending, bytes);
    while (all.length >= 4 && all.length >= 4 + all.readUInt32LE()) {
      const end = 4 + all.readUInt32LE();
      yield all.subarray(4, end);
      all = all.subarray(end);
    }
    pending = [all];
    bytes = all.length;
  }
}

/** Of the first record with its length; the first part may be shorter than that. */
function sizeOf(parts: Buffer[]): number {
  const head = (parts[0]?.length ?? 0) >= 4 ? (parts[0] as Buffer) : Buffer.concat(parts);
  return 4 + head.readUInt32LE();
}
