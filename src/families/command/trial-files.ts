import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { TableRow } from '../../domain/table.ts';
import type { Examples, RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import { DataTooLarge, FamilyFailed } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';
import { tensorFile } from './safetensors.ts';

/** All tensors of the training rows of a trial. */
const MAX_TENSOR_BYTES = 2 ** 30;
/** Rows of a CSV file that are written at once. */
const CHUNK_ROWS = 10_000;

/** Writes named tensors into a file of the folder. Returns its path. */
export async function writeTensors(
  folder: string,
  name: string,
  tensors: Readonly<Record<string, TensorData>>,
): Promise<string> {
  const bytes = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > MAX_TENSOR_BYTES) {
    throw new DataTooLarge('the rows are too many for the command of a family', {
      detail: `They take ${sizeText(bytes)}; the maximum is ${sizeText(MAX_TENSOR_BYTES)}.`,
      hint: "Train on fewer rows, or another family; or a smaller side or max_tokens in the family's features.",
    });
  }
  return writeParts(folder, name, tensorFile(tensors));
}

/**
 * Writes rows with their values as they are: the target first, then the text, or the columns by their names, as Rafiki reads them. Images have no
 * such file; undefined is returned.
 */
export async function writeRows(
  folder: string,
  { inputs, labels }: Examples,
  classes: readonly string[],
): Promise<string | undefined> {
  const [first] = inputs;
  if (first === undefined || first instanceof Uint8Array) return undefined;
  const names = first instanceof TableRow ? [...first.table.columns.keys()] : ['text'];
  const target = (row: number): string | number => {
    const label = labels[row];
    if (typeof label !== 'number') throw new RangeError('the rows of a command are labelled with classes or numbers');
    return labels instanceof Int32Array ? (classes[label] ?? '') : label;
  };
  const chunks = function* (): Generator<Buffer> {
    yield Buffer.from(stringify([['target', ...names]]));
    for (let start = 0; start < inputs.length; start += CHUNK_ROWS) {
      const some = inputs.slice(start, start + CHUNK_ROWS);
      yield Buffer.from(stringify(some.map((input, i) => [target(start + i), ...valuesOf(input, names)])));
    }
  };
  return writeParts(folder, 'train.csv', chunks());
}

/** NULL is an empty value. */
function valuesOf(input: RawInput, names: readonly string[]): (string | number | null)[] {
  if (!(input instanceof TableRow)) return [input as string];
  return names.map((name) => {
    const column = input.table.columns.get(name);
    if (column === undefined) return null;
    if ('codes' in column) return column.texts[column.codes[input.row] ?? -1] ?? null;
    const value = column.numbers[input.row] as number;
    return Number.isNaN(value) ? null : value;
  });
}

/** Writes a file of the folder, part by part. Returns its path. */
export async function writeParts(folder: string, name: string, parts: Iterable<Uint8Array>): Promise<string> {
  const file = path.join(folder, name);
  const handle = await open(file, 'w', 0o600);
  try {
    for (const part of parts) await handle.writeFile(part);
  } finally {
    await handle.close();
  }
  return file;
}

/** A file that the command has written into its folder. */
export interface WrittenFile {
  what: string;
  /** As the command says. */
  name: unknown;
  maxBytes: number;
}

/** Reads it; no link, and no more than `maxBytes`. */
export const readWritten = (folder: string, file: WrittenFile): Buffer =>
  withWritten(folder, file, (descriptor, bytes) => {
    const data = Buffer.alloc(bytes);
    return data.subarray(0, readSync(descriptor, data, 0, bytes, 0));
  });

/** Throws where it could not be read. */
export const checkWritten = (folder: string, file: WrittenFile): void => withWritten(folder, file, () => undefined);

/** A training process has nothing else to do meanwhile. */
function withWritten<T>(
  folder: string,
  { what, name, maxBytes }: WrittenFile,
  use: (descriptor: number, bytes: number) => T,
): T {
  if (typeof name !== 'string' || !/^[\w.-]{1,200}$/.test(name))
    throw noFile(what, name, 'Give the name of a file in "folder", without a path.');
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let descriptor: number;
  try {
    descriptor = openSync(path.join(folder, name), flags);
  } catch (cause) {
    throw noFile(what, name, cause instanceof Error ? cause.message : String(cause));
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw noFile(what, name, 'It is no file.');
    if (found.size > maxBytes)
      throw noFile(what, name, `It has ${sizeText(found.size)}; the maximum is ${sizeText(maxBytes)}.`);
    return use(descriptor, found.size);
  } finally {
    closeSync(descriptor);
  }
}

const noFile = (what: string, name: unknown, detail: string): FamilyFailed =>
  new FamilyFailed(`"${what}" of the family's command is no file that can be read`, {
    detail: `It is ${(JSON.stringify(name) ?? 'missing').slice(0, 200)}. ${detail}`,
    hint: 'Write the file into "folder" before the message that names it.',
  });
