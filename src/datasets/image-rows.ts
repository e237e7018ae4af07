import type { Task } from '../domain/task.ts';
import { BadData } from '../errors/errors.ts';
import { checkImage } from '../features/images.ts';
import { checkBoxes } from './boxes.ts';
import { imageRecord, type LabelledImage } from './data-file.ts';

/** Rows of a source that could not be used and were left out. */
export interface Skipped {
  rows: number;
  /** What was wrong with the first of them. */
  example: string | null;
}

/** Rows in hand at once: enough for the decoder's four threads, few enough for images of some megabytes. */
const AT_ONCE = 8;

interface Checking {
  task: Task;
  onBadRow: 'error' | 'skip';
  /** Counts up as rows are left out. */
  skipped: Skipped;
}

/** Rows as the source's reader packs them → records of the data file, checked, in the same order. */
export async function* imageRecords(rows: AsyncIterable<Buffer>, checking: Checking): AsyncGenerator<Buffer> {
  const inHand: Promise<Checked>[] = [];
  let number = 0;
  for await (const row of rows) {
    inHand.push(check(unpack(row, ++number), checking.task));
    if (inHand.length >= AT_ONCE) yield* settled(await (inHand.shift() as Promise<Checked>), checking);
  }
  for (const checked of inHand) yield* settled(await checked, checking);
}

type Checked = Buffer | { name: string; error: unknown };

function* settled(checked: Checked, { onBadRow, skipped }: Checking): Generator<Buffer> {
  if (Buffer.isBuffer(checked)) {
    yield checked;
    return;
  }
  if (!(checked.error instanceof BadData)) throw checked.error;
  const { message, detail, hint } = checked.error;
  const named = `${checked.name}: ${detail ?? message}`;
  if (onBadRow === 'error') {
    throw new BadData(message, {
      detail: named,
      hint: `${hint ?? 'Correct the row.'} Or train with on_bad_row => 'skip', which leaves such rows out.`,
      cause: checked.error,
    });
  }
  skipped.rows++;
  skipped.example ??= named;
}

interface PackedRow {
  name: string;
  label: string;
  image: Buffer;
}

/** See `imageRows` in `reading.ts`. */
function unpack(row: Buffer, number: number): PackedRow {
  const nameEnd = 4 + row.readInt32BE(0);
  const labelEnd = nameEnd + 4 + row.readInt32BE(nameEnd);
  return {
    name: row.toString('utf8', 4, nameEnd) || `Row ${number} as read`,
    label: row.toString('utf8', nameEnd + 4, labelEnd),
    image: row.subarray(labelEnd),
  };
}

/** Never rejects: a row in hand may fail before anybody looks. */
async function check({ name, label, image }: PackedRow, task: Task): Promise<Checked> {
  try {
    const size = await checkImage(image);
    const labelled: LabelledImage = {
      input: image,
      label: task === 'object_detection' ? checkBoxes(JSON.parse(label), size) : label,
    };
    return imageRecord(labelled);
  } catch (error) {
    return { name, error };
  }
}
