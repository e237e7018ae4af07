import { hash } from 'node:crypto';

/** Longer texts are known by their hash: the key then costs the cache 43 bytes, not the text. */
const HASH_ABOVE = 256;

export interface AnswerCacheOptions {
  maxEntries?: number;
  maxBytes?: number;
}

const MAX_ENTRIES = 200_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** What an entry costs beside its characters. */
const ENTRY_BYTES = 128;

/** Labels by text, of each model version. */
type LabelsByVersion = Map<number, Map<string, string>>;

/**
 * Labels by model version and text. A prediction is a pure function of both, so an entry is never wrong and never expires;
 * a new version has new keys.
 *
 * Two generations in place of a list of who was used last, which cost as much as tokenising: when the young one is half of what may be
 * kept it becomes the old one, whose entries are forgotten unless they were asked for meanwhile.
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

/** A text of PostgreSQL has no NUL: none can pass for a hash. */
const keyOf = (input: string): string =>
  input.length <= HASH_ABOVE ? input : `\0${hash('sha256', input, 'base64url')}`;
