import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { CsvError, parse } from 'csv-parse';
import { BadData, RequestTooLarge } from '../../errors/errors.ts';
import { shortened, tooMuch, unreadable } from './archive-errors.ts';
import { boundedRows } from './bounded-rows.ts';

/** The file of an archive that has the labels of its images. */
export const LABELS = 'labels.csv';
/** Rows of it: the files that an archive may have. */
export const MAX_LABELS = 100_000;
/** Of a row. */
const MAX_ROW_BYTES = 2 ** 20;
/** Read between two turns of the event loop: some milliseconds. Rows take a thousand times their bytes in the archive. */
const PART_BYTES = 64 * 1024;

const fileColumns = ['file', 'filename', 'file_name', 'path', 'name', 'image'];
const labelColumns = ['label', 'class', 'category', 'target'];

export interface LabelledFiles {
  /** Of the file of labels. */
  folder: string;
  /** The names of the images in the archive. */
  known: ReadonlySet<string>;
}

/**
 * The labels by the rows of the file, whose images are named from its folder on, or from that of the archive. Row after row: no more is kept of them than
 * labels. Throws {@link BadData} and {@link RequestTooLarge}.
 */
export async function readLabels(bytes: Buffer, { folder, known }: LabelledFiles): Promise<Map<string, string>> {
  const rows = rowsOf(bytes);
  const header = (await rows.next()).value ?? [];
  const place = (names: readonly string[]): number =>
    header.findIndex((name) => names.includes(name.trim().toLowerCase()));
  const [ofFile, ofLabel] = [place(fileColumns), place(labelColumns)];
  if (ofFile < 0 || ofLabel < 0) {
    await rows.return(undefined);
    throw unreadable(
      `The columns of ${LABELS} are ${header.slice(0, 10).join(', ').slice(0, 200)}.`,
      'Name two of them file and label.',
    );
  }
  const found = new Map<string, string>();
  let count = 0;
  for await (const row of rows) {
    if (++count > MAX_LABELS) throw tooMuch(`${LABELS} has more than ${MAX_LABELS} rows.`);
    const given = (row[ofFile] ?? '').trim();
    const fileName = [path.posix.join(folder, given), path.posix.normalize(given)].find((each) => known.has(each));
    if (fileName === undefined)
      throw unreadable(
        `${LABELS} names "${shortened(given)}", which is not in the archive.`,
        'Name files as they are in it.',
      );
    const label = (row[ofLabel] ?? '').trim();
    const other = found.get(fileName);
    if (other !== undefined && other !== label)
      throw unreadable(
        `${LABELS} names "${shortened(given)}" twice: with label "${shortened(other)}" and with "${shortened(label)}".`,
        'Give each file one label.',
      );
    if (label !== '') found.set(fileName, label);
  }
  return found;
}

async function* rowsOf(bytes: Buffer): AsyncGenerator<string[], undefined> {
  if (!isUtf8(bytes))
    throw new BadData(`${LABELS} in the archive is not valid UTF-8`, { hint: 'Convert it to UTF-8.' });
  const parser = parse({ bom: true, skip_empty_lines: true });
  const tooLong = (): Error => tooMuch(`A row of ${LABELS} has more than ${MAX_ROW_BYTES} bytes.`);
  const fed = pipeline(Readable.from(boundedRows(partsOf(bytes), parser, MAX_ROW_BYTES, tooLong)), parser);
  fed.catch(() => undefined); // the reader of the rows gets the error
  try {
    for await (const row of parser as AsyncIterable<string[]>) yield row;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new BadData(`${LABELS} in the archive is not CSV`, {
      detail: cause.message.slice(0, 300),
      hint: 'Write it by RFC 4180.',
      cause,
    });
  } finally {
    parser.destroy();
  }
}

async function* partsOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    yield bytes.subarray(at, at + PART_BYTES);
    await setImmediate(); // others have their turn
  }
}
