import type { CopiedValue } from '../db/copy.ts';
import type { TaskKind } from '../domain/kinds/kind.ts';
import { BadData } from '../errors/errors.ts';
import { checkImage } from '../features/images.ts';
import { type BadRowRule, leaveOut } from './bad-row.ts';
import { imageRecord, type LabelledImage, sides } from './data-file.ts';

const MB = 2 ** 20;

/**
 * A row with its image. The files of 50 million pixels, which are the most, stay below but for those without compression; a
 * prediction takes 32 MB. COPY brings a row whole, and a larger one is let go as it comes.
 */
export const MAX_ROW_BYTES = 64 * MB;

/** Rows in hand at once: enough for the decoder's four threads, and so many bytes that one more row of any size has room. */
const AT_ONCE = 8;
const MAX_HELD_BYTES = 64 * MB;

const MAX_NAME_CHARS = 200;

interface Checking extends BadRowRule {
  kind: TaskKind;
}

/** Rows as the source's reader packs them → records of the data file, checked, in the same order. */
export async function* imageRecords(rows: AsyncIterable<CopiedValue>, checking: Checking): AsyncGenerator<Buffer> {
  const inHand: { bytes: number; checked: Promise<Checked> }[] = [];
  let heldBytes = 0;
  let number = 0;
  for await (const row of rows) {
    inHand.push({ bytes: row.bytes.length, checked: check(row, ++number, checking.kind) });
    heldBytes += row.bytes.length;
    while (inHand.length >= AT_ONCE || heldBytes > MAX_HELD_BYTES) {
      const [oldest] = inHand.splice(0, 1) as [(typeof inHand)[number]];
      yield* settled(await oldest.checked, checking);
      heldBytes -= oldest.bytes;
    }
  }
  for (const { checked } of inHand) yield* settled(await checked, checking);
}

type Checked = Buffer | { name: string; error: unknown };

function* settled(checked: Checked, rule: BadRowRule): Generator<Buffer> {
  if (Buffer.isBuffer(checked)) yield checked;
  else leaveOut(checked, rule);
}

/** Never rejects: a row in hand may fail before anybody looks. */
async function check({ bytes, size }: CopiedValue, number: number, kind: TaskKind): Promise<Checked> {
  let name = `Row ${number} as read`;
  try {
    const named = partAt(bytes, 0);
    name = bytes.toString('utf8', 4, Math.min(named.end, 4 + 4 * MAX_NAME_CHARS)).slice(0, MAX_NAME_CHARS) || name;
    if (size > bytes.length) throw rowTooLarge(size);
    const labelled = partAt(bytes, named.end);
    if (labelled.end >= bytes.length) throw malformed();
    return imageRecord(await labelledImage(bytes, labelled, kind));
  } catch (error) {
    return { name, error };
  }
}

async function labelledImage(bytes: Buffer, { start, end }: ByteRange, kind: TaskKind): Promise<LabelledImage> {
  const labelFor = kind.readLabel(bytes.subarray(start, end));
  const validates = sides[bytes[end] ?? 0];
  const image = bytes.subarray(end + 1);
  const label = labelFor(await checkImage(image));
  return { input: image, label, ...(validates === undefined ? {} : { validates }) };
}

interface ByteRange {
  start: number;
  end: number;
}

/** What stands behind its length, in a row as `rafiki._reader_query` packs it; its owner may have put other code in the place. */
function partAt(row: Buffer, at: number): ByteRange {
  const length = at + 4 <= row.length ? row.readInt32BE(at) : -1;
  if (length < 0) throw malformed();
  return { start: at + 4, end: at + 4 + length };
}

const malformed = (): BadData =>
  new BadData('a row is not what the reader of the source gives', {
    hint: 'Train again, and leave its reader as it is.',
  });

const rowTooLarge = (bytes: number): BadData =>
  new BadData('a row is too large', {
    detail: `It has ${(bytes / MB).toFixed(1)} MB; ${MAX_ROW_BYTES / MB} MB are the most.`,
    hint: 'Make its image smaller, or compress it: a model looks at far fewer pixels.',
  });
