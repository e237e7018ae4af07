import path from 'node:path';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';
import type { RoleTransaction } from '../../db/role-login.ts';
import { BadData } from '../../errors/errors.ts';
import { shortened, tooMuch, unreadable } from './archive-errors.ts';
import { copyBytea, copyText, NULL } from './copy-text.ts';
import type { Destination, Uploaded } from './destination.ts';
import { LABELS, MAX_LABELS, readLabels } from './image-labels.ts';

export interface ZippedImages {
  archive: Buffer;
  maxImageBytes: number;
}

/** Bounds of an archive; images are hardly smaller in it, so what grows more is no archive of images. */
const MAX_ENTRIES = MAX_LABELS;
const MAX_UNPACKED_BYTES = 2 ** 28;
const MAX_NAME_BYTES = 1_000;
const MAX_LABELS_BYTES = 16 * 2 ** 20;

const images = /\.(jpe?g|png|webp|gif|avif|tiff?)$/i;
/** What systems add to folders. */
const ignored = /(^|\/)(__MACOSX\/|\.|Thumbs\.db$|desktop\.ini$)/i;

const columns = [
  { name: 'name', type: 'text' },
  { name: 'label', type: 'text' },
  { name: 'image', type: 'bytea' },
];

/**
 * Brings rows (name, label, image) of a zip of image files to their destination. The label is the folder of each, or what a file labels.csv in the archive has for it; NULL
 * for an image without one. Throws {@link BadData}.
 */
export async function loadImages(
  on: RoleTransaction,
  { archive, maxImageBytes }: ZippedImages,
  destination: Destination,
): Promise<Uploaded> {
  const file = await opened(archive);
  try {
    const entries = await entriesOf(file, maxImageBytes);
    const labels = entries.find(({ fileName }) => path.posix.basename(fileName).toLowerCase() === LABELS);
    const files = entries.filter((entry) => entry !== labels);
    if (files.length === 0)
      throw new BadData('the archive has no images', { hint: 'Zip image files in a folder for each class.' });
    const labelOf = labels === undefined ? folderOf : await labelledBy(file, labels, files);
    const { table, finish } = await destination(columns);
    await on.copyIn(`copy ${table} from stdin`, rowsOf(file, files, labelOf));
    return await finish();
  } finally {
    file.close();
  }
}

type LabelOf = (fileName: string) => string | null;

const folderOf: LabelOf = (fileName) => path.posix.basename(path.posix.dirname(fileName)).replace(/^\.$/, '') || null;

async function* rowsOf(file: ZipFile, files: readonly Entry[], labelOf: LabelOf): AsyncGenerator<string> {
  for (const entry of files) {
    const label = labelOf(entry.fileName);
    const bytes = await bytesOf(file, entry);
    yield `${copyText(entry.fileName)}\t${label === null ? NULL : copyText(label)}\t${copyBytea(bytes)}\n`;
  }
}

async function labelledBy(file: ZipFile, labels: Entry, files: readonly Entry[]): Promise<LabelOf> {
  const folder = path.posix.dirname(labels.fileName);
  const known = new Set(files.map(({ fileName }) => fileName));
  const found = await readLabels(await bytesOf(file, labels), { folder, known });
  return (fileName) => found.get(fileName) ?? null;
}

/** The files of the archive that are read, by its directory. What they unpack to is checked again while they are read. */
async function entriesOf(file: ZipFile, maxImageBytes: number): Promise<Entry[]> {
  if (file.entryCount > MAX_ENTRIES) throw tooMuch(`It has ${file.entryCount} files; the maximum is ${MAX_ENTRIES}.`);
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const entry of eachEntry(file)) {
    const { fileName, uncompressedSize } = entry;
    if (fileName.endsWith('/') || ignored.test(fileName)) continue;
    checkName(fileName);
    const isLabels = path.posix.basename(fileName).toLowerCase() === LABELS;
    if (!isLabels && !images.test(fileName)) {
      throw unreadable(
        `"${shortened(fileName)}" is no image, and not ${LABELS}.`,
        'Leave it out: archives within it and other files are not read.',
      );
    }
    if ((entry.generalPurposeBitFlag & 1) !== 0)
      throw unreadable(`"${shortened(fileName)}" is encrypted.`, 'Zip it without a password.');
    const max = isLabels ? MAX_LABELS_BYTES : maxImageBytes;
    if (uncompressedSize > max)
      throw tooMuch(`"${shortened(fileName)}" has ${uncompressedSize} bytes; the maximum is ${max}.`);
    bytes += uncompressedSize;
    if (bytes > MAX_UNPACKED_BYTES) throw tooMuch(`Its files have more than ${MAX_UNPACKED_BYTES} bytes together.`);
    entries.push(entry);
  }
  return entries;
}

function checkName(fileName: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: such names are refused
  if (Buffer.byteLength(fileName) <= MAX_NAME_BYTES && !/[\x00-\x1f\x7f\ufffd]/.test(fileName)) return;
  throw unreadable(`The name of a file is too long or has control characters: "${shortened(fileName)}".`, 'Rename it.');
}

function opened(archive: Buffer): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    fromBuffer(
      archive,
      { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true },
      (error, file) => {
        if (error === null && file !== undefined) resolve(file);
        else reject(notZip(error));
      },
    );
  });
}

async function* eachEntry(file: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      const settle = (): void => {
        file.removeAllListeners();
      };
      file.once('entry', (found: Entry) => {
        settle();
        resolve(found);
      });
      file.once('end', () => {
        settle();
        resolve(undefined);
      });
      file.once('error', (error: Error) => {
        settle();
        reject(notZip(error));
      });
      file.readEntry();
    });
    if (entry === undefined) return;
    yield entry;
  }
}

/** Throws {@link BadData} also if it unpacks to more than the directory has. */
async function bytesOf(file: ZipFile, entry: Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const stream = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
      file.openReadStream(entry, (error, found) => {
        if (error === null && found !== undefined) resolve(found);
        else reject(error ?? new Error('it cannot be read'));
      });
    });
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > entry.uncompressedSize) throw new Error('it is larger than the directory says');
      chunks.push(chunk);
    }
  } catch (cause) {
    throw unreadable(
      `"${shortened(entry.fileName)}": ${(cause as Error).message.slice(0, 200)}`,
      'Zip it again.',
      cause,
    );
  }
  return Buffer.concat(chunks);
}

const notZip = (cause: unknown): BadData =>
  unreadable((cause as Error | null)?.message.slice(0, 200) ?? '', 'Send a zip file.', cause);
