import { hash } from 'node:crypto';

/**
 * A longer text's key is its hash, so that an entry costs 43 bytes, not the text. Hashing takes ten times as long as a look into a map: rows of a
 * table, objects in JSON of some hundred characters, are their own keys.
 */
const HASH_ABOVE = 512;

export interface AnswerCacheOptions {
  maxEntries?: number;
  maxBytes?: number;
}

const MAX_ENTRIES = 200_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** Overhead of an entry, bytes. */
const ENTRY_BYTES = 128;

/** Labels by input, for each model version. */
type LabelsByVersion = Map<number, Map<string, string>>;

/**
 * Labels by model version and input. A prediction is a pure function of both, so entries are never wrong and never
 * expire; a new version has new keys.
 *
 * Two generations replace an LRU list, which cost as much as tokenising: when the young generation reaches half of the
 * limit it becomes the old one, and the previous old generation is dropped, except for entries that were read
 * meanwhile.
 */
export class AnswerCache {
  readonly #halfEntries: number;
  readonly #halfBytes: number;
  #young: LabelsByVersion = new Map();
  #old: LabelsByVersion = new Map();
  #entries = 0;
  #bytes = 0;

  constructor({ maxEntries = MAX_ENTRIES, maxBytes = MAX_BYTES }: AnswerCacheOptions = {}) {
    this.#halfEntries = maxEntries / 2;
    this.#halfBytes = maxBytes / 2;
  }

  get(versionId: number, input: string): string | undefined {
    const key = keyOf(input);
    const young = this.#young.get(versionId)?.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(versionId)?.get(key);
    if (old !== undefined) this.#put(versionId, key, old);
    return old;
  }

  has(versionId: number, input: string): boolean {
    return this.get(versionId, input) !== undefined;
  }

  set(versionId: number, input: string, label: string): void {
    this.#put(versionId, keyOf(input), label);
  }

  #put(versionId: number, key: string, label: string): void {
    const bytes = ENTRY_BYTES + 2 * (key.length + label.length);
    if (this.#entries + 1 > this.#halfEntries || this.#bytes + bytes > this.#halfBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#entries = 0;
      this.#bytes = 0;
    }
    let labels = this.#young.get(versionId);
    if (labels === undefined) {
      labels = new Map();
      this.#young.set(versionId, labels);
    }
    labels.set(key, label);
    this.#entries++;
    this.#bytes += bytes;
  }
}

/** A text in PostgreSQL contains no NUL, so no text equals a hash. */
const keyOf = (input: string): string =>
  input.length <= HASH_ABOVE ? input : `\0${hash('sha256', input, 'base64url')}`;
