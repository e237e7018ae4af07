import { createHash } from 'node:crypto';
import { TableRow } from '../domain/table.ts';
import type { RawInput } from '../domain/task.ts';
import type { ModelFile } from '../domain/training.ts';
import { readModel } from '../engine/model-file.ts';
import { BadData, DataTooLarge } from '../errors/errors.ts';
import { DiskCache } from '../runtime/disk/disk-cache.ts';
import { Embedder } from './embedder.ts';

/** Inputs whose vectors are one file: what a killed trial loses at most, some seconds of an encoder. */
const BLOCK = 1024;
/** Of the folder; the least recently used blocks are deleted. */
export const VECTOR_CACHE_BYTES = 2 * 2 ** 30;
/** Numbers of all vectors together: 1 GB. */
const MAX_NUMBERS = 2 ** 28;

export interface EmbeddedDataOptions {
  file: ModelFile;
  cacheDir: string;
  threads: number;
}

/**
 * The vectors of inputs, [inputs, width], computed once for a data set and kept on disk: a block is named by its encoder and its inputs, so that
 * trials, refits and later studies of the same rows find it. Blocks are taken in an order of this process's own: trials that begin together share
 * the work.
 */
export async function embedData(
  inputs: readonly RawInput[],
  { file, cacheDir, threads }: EmbeddedDataOptions,
): Promise<Float32Array> {
  const rows = new Map<string, { input: RawInput; places: number[] }>();
  inputs.forEach((input, place) => {
    const key = hashOf(input);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { input, places: [place] });
    else row.places.push(place);
  });
  const keys = [...rows.keys()].sort();
  const disk = new DiskCache({ dir: cacheDir, maxBytes: VECTOR_CACHE_BYTES });
  let embedder: Embedder | undefined;
  let all: Float32Array | undefined;
  try {
    for (const block of rotated(blocksOf(keys), process.pid)) {
      const name = createHash('sha256').update(file.name).update(block.join('')).digest('hex');
      let vectors = floatsOf(await disk.get(name), block.length);
      if (vectors === undefined) {
        embedder ??= await Embedder.load(await readModel(file), { threads });
        vectors = (await embedder.embed(block.map((key) => rows.get(key)?.input as RawInput))) ?? new Float32Array(0);
        const bytes = Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength);
        await disk.set(name, bytes).catch(() => undefined); // a full disk only costs time
      }
      const width = vectors.length / block.length;
      if (inputs.length * width > MAX_NUMBERS) throw tooMany(inputs.length, width);
      all ??= new Float32Array(inputs.length * width);
      for (const [i, key] of block.entries())
        for (const place of rows.get(key)?.places ?? [])
          all.set(vectors.subarray(i * width, (i + 1) * width), place * width);
    }
  } finally {
    await embedder?.release();
  }
  return all ?? new Float32Array(0);
}

function blocksOf(keys: readonly string[]): string[][] {
  const blocks: string[][] = [];
  for (let from = 0; from < keys.length; from += BLOCK) blocks.push(keys.slice(from, from + BLOCK));
  return blocks;
}

const rotated = <T>(items: readonly T[], by: number): T[] => {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
};

function hashOf(input: RawInput): string {
  if (input instanceof TableRow) {
    throw new BadData('an encoder reads texts or images, but the input is a row of columns', {
      hint: 'Use a family for columns.',
    });
  }
  return createHash('sha256').update(input).digest('hex');
}

/** Undefined for a file that is missing or cut off. */
function floatsOf(bytes: Buffer | undefined, rows: number): Float32Array | undefined {
  if (bytes === undefined || bytes.length === 0 || bytes.length % (4 * rows) !== 0) return undefined;
  return new Float32Array(new Uint8Array(bytes).buffer); // a copy is aligned
}

const tooMany = (rows: number, width: number): DataTooLarge =>
  new DataTooLarge('the vectors of so many rows need too much memory', {
    detail: `${rows} rows have ${width} numbers each; the limit is ${MAX_NUMBERS} numbers.`,
    hint: 'Train on fewer rows, or name other families.',
  });
