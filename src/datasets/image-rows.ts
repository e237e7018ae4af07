import type { CopiedValue } from '../db/copy.ts';
import type { TaskKind } from '../domain/kinds/kind.ts';
import { BadData } from '../errors/errors.ts';
import { checkImage } from '../features/images.ts';
import { type BadRowRule, MAX_NAME_CHARS, skipRow } from './bad-row.ts';
import { imageRecord, type LabelledImage, validationFlags } from './data-file.ts';

const MB = 2 ** 20;

/**
 * Maximum of a row with its image. Compressed files of 50 million pixels, the maximum, are smaller; a prediction takes 32 MB.
 * COPY returns whole rows; of a larger one the bytes are discarded as they arrive.
 */
export const MAX_ROW_BYTES = 64 * MB;

/** Limits of the rows that are checked in parallel: enough for the decoder's four threads. One more row may exceed the bytes. */
const MAX_PENDING_ROWS = 8;
const MAX_PENDING_BYTES = 64 * MB;

interface Checking extends BadRowRule {
  kind: TaskKind;
}

/** Converts rows as packed by the source's reader to records of the data file, checked, in the same order. */
export async function* imageRecords(rows: AsyncIterable<CopiedValue>, checking: Checking): AsyncGenerator<Buffer> {
  const pending: { bytes: number; checked: Promise<Checked> }[] = [];
  let pendingBytes = 0;
  let number = 0;
  for await (const row of rows) {
    pending.push({ bytes: row.bytes.length, checked: check(row, ++number, checking.kind) });
    pendingBytes += row.bytes.length;
    while (pending.length >= MAX_PENDING_ROWS || pendingBytes > MAX_PENDING_BYTES) {
      const [oldest] = pending.splice(0, 1) as [(typeof pending)[number]];
      yield* settled(await oldest.checked, checking);
      pendingBytes -= oldest.bytes;
    }
  }
  for (const { checked } of pending) yield* settled(await checked, checking);
}

type Checked = Buffer | { name: string; error: unknown };

function* settled(checked: Checked, rule: BadRowRule): Generator<Buffer> {
  if (Buffer.isBuffer(checked)) yield checked;
  else skipRow(checked, rule);
}

/** Never rejects: a row may fail before its promise is awaited. */
async function check({ bytes, size }: CopiedValue, number: number, kind: TaskKind): Promise<Checked> {
  let name = `Row ${number} as read`;
  try {
    const key = partAt(bytes, 0);
    name = bytes.toString('utf8', 4, Math.min(key.end, 4 + 4 * MAX_NAME_CHARS)) || name;
    if (size > bytes.length) throw rowTooLarge(size);
    const label = partAt(bytes, key.end);
    if (label.end >= bytes.length) throw malformed();
    return imageRecord(await labelledImage(bytes, label, kind));
  } catch (error) {
    return { name, error };
  }
}

async function labelledImage(bytes: Buffer, { start, end }: ByteRange, kind: TaskKind): Promise<LabelledImage> {
  const labelFor = kind.readLabel(bytes.subarray(start, end));
  const validates = validationFlags[bytes[end] ?? 0];
  const image = bytes.subarray(end + 1);
  const label = labelFor(await checkImage(image));
  return { input: image, label, ...(validates === undefined ? {} : { validates }) };
}

interface ByteRange {
  start: number;
  end: number;
}

/** A part of a row as packed by `rafiki._reader_query`: its length, then its bytes. Throws if the owner's function returned another format. */
function partAt(row: Buffer, at: number): ByteRange {
  const length = at + 4 <= row.length ? row.readInt32BE(at) : -1;
  if (length < 0) throw malformed();
  return { start: at + 4, end: at + 4 + length };
}

const malformed = (): BadData =>
  new BadData('a row does not have the format of the reader of the source', {
    hint: 'Train again, and do not change its reader.',
  });

const rowTooLarge = (bytes: number): BadData =>
  new BadData('a row is too large', {
    detail: `It has ${(bytes / MB).toFixed(1)} MB; the limit is ${MAX_ROW_BYTES / MB} MB.`,
    hint: 'Scale its image down, or compress it: models use far fewer pixels.',
  });
