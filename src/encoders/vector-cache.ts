import { createHash } from 'node:crypto';
import type { RawInput } from '../domain/task.ts';

/** Numbers of an entry; a longer vector takes several. */
const CHUNK = 512;
/** Integers before an entry's numbers: its version, four words of its key, its length; the rest aligns it. */
const HEADER = 8;
const ENTRY = HEADER + CHUNK;
/** Entries where a key may be. */
const WAYS = 4;
/** 64 MB, of which the system gives only pages that were written to. */
const SETS = 2 ** 13;

/** Memory for {@link VectorCache}, which threads share. */
export const createVectorMemory = (): SharedArrayBuffer => new SharedArrayBuffer(4 * ENTRY * WAYS * SETS);

let shared: VectorCache | undefined;

/** The cache of this thread's server, if it has one. */
export const sharedVectors = (): VectorCache | undefined => shared;

export function shareVectors(memory: SharedArrayBuffer): void {
  shared = new VectorCache(memory);
}

/**
 * Vectors of the inputs that were encoded last, shared by the threads of a server: models on the same encoder, and members of an ensemble, compute the
 * vector of an input once. Each entry is a sequence lock: a writer makes its version odd, and a reader that sees two versions, or an odd one, has
 * found nothing.
 */
export class VectorCache {
  readonly #words: Int32Array;
  readonly #numbers: Float32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#numbers = new Float32Array(memory);
  }

  /** A key of an input for one encoder, by the hash of its file. */
  static keyOf(encoder: string, input: RawInput): Buffer {
    const hash = createHash('sha256').update(encoder);
    if (typeof input === 'string') return hash.update('t').update(input).digest();
    return hash
      .update('b')
      .update(input as Uint8Array)
      .digest();
  }

  /** Whether the vector was found, and written to `into`. */
  read(key: Buffer, into: Float32Array): boolean {
    for (let from = 0; from < into.length; from += CHUNK)
      if (!this.#readChunk(key, from / CHUNK, into.subarray(from, from + CHUNK))) return false;
    return true;
  }

  write(key: Buffer, vector: Float32Array): void {
    for (let from = 0; from < vector.length; from += CHUNK)
      this.#writeChunk(key, from / CHUNK, vector.subarray(from, from + CHUNK));
  }

  #readChunk(key: Buffer, chunk: number, into: Float32Array): boolean {
    for (const base of this.#places(key, chunk)) {
      const version = Atomics.load(this.#words, base);
      if (version % 2 !== 0 || !this.#has(base, key, chunk) || this.#words[base + 5] !== into.length) continue;
      into.set(this.#numbers.subarray(base + HEADER, base + HEADER + into.length));
      // adding 0, and not a load, so that no read above can be done after it
      if (Atomics.add(this.#words, base, 0) === version) return true;
    }
    return false;
  }

  #writeChunk(key: Buffer, chunk: number, numbers: Float32Array): void {
    const places = this.#places(key, chunk);
    const base =
      places.find((place) => this.#has(place, key, chunk)) ??
      places.find((place) => this.#words[place] === 0) ??
      (places[key.readUInt8(16 + (chunk % 8)) % WAYS] as number);
    const version = Atomics.load(this.#words, base);
    if (version % 2 !== 0 || Atomics.compareExchange(this.#words, base, version, (version + 1) | 0) !== version) return;
    for (let word = 0; word < 4; word++) this.#words[base + 1 + word] = keyWord(key, word, chunk);
    this.#words[base + 5] = numbers.length;
    this.#numbers.set(numbers, base + HEADER);
    Atomics.store(this.#words, base, (version + 2) | 0);
  }

  #places(key: Buffer, chunk: number): number[] {
    const set = (key.readUInt32LE(24) + chunk) % SETS;
    return Array.from({ length: WAYS }, (_, way) => (set * WAYS + way) * ENTRY);
  }

  #has(base: number, key: Buffer, chunk: number): boolean {
    for (let word = 0; word < 4; word++) if (this.#words[base + 1 + word] !== keyWord(key, word, chunk)) return false;
    return true;
  }
}

const keyWord = (key: Buffer, word: number, chunk: number): number => (key.readInt32LE(4 * word) + chunk) | 0;

export interface CachedEmbedding {
  /** The encoder, by the hash of its file. */
  name: string;
  width: number;
  cache: VectorCache | undefined;
  /** Not kept: inputs with which latencies are measured. */
  isMeasured(input: RawInput): boolean;
  embed(inputs: readonly RawInput[]): Promise<Float32Array | null>;
}

/** The vectors of inputs, [inputs, width], from the cache as far as it has them. */
export async function embedCached(
  inputs: readonly RawInput[],
  { name, width, cache, isMeasured, embed }: CachedEmbedding,
): Promise<Float32Array | null> {
  if (cache === undefined || inputs.some(isMeasured)) return embed(inputs);
  const vectors = new Float32Array(inputs.length * width);
  const vector = (row: number): Float32Array => vectors.subarray(row * width, (row + 1) * width);
  const keys = inputs.map((input) => VectorCache.keyOf(name, input));
  const missing = inputs.flatMap((_, row) => (cache.read(keys[row] as Buffer, vector(row)) ? [] : [row]));
  const found = missing.length === 0 ? null : await embed(missing.map((row) => inputs[row] as RawInput));
  if (found === null) return vectors;
  for (const [i, row] of missing.entries()) {
    vector(row).set(found.subarray(i * width, (i + 1) * width));
    cache.write(keys[row] as Buffer, vector(row));
  }
  return vectors;
}
