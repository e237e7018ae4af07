import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

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

/**
 * Labels by model version and text. A prediction is a pure function of both, so an entry is never wrong and never expires;
 * a new version has new keys.
 */
export class AnswerCache {
  readonly #labels: LRUCache<string, string>;

  constructor({ maxEntries = MAX_ENTRIES, maxBytes = MAX_BYTES }: AnswerCacheOptions = {}) {
    this.#labels = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: (label, key) => ENTRY_BYTES + 2 * (key.length + label.length),
    });
  }

  get(versionId: number, text: string): string | undefined {
    return this.#labels.get(keyOf(versionId, text));
  }

  has(versionId: number, text: string): boolean {
    return this.#labels.has(keyOf(versionId, text));
  }

  set(versionId: number, text: string, label: string): void {
    this.#labels.set(keyOf(versionId, text), label);
  }
}

/** A text cannot pass for a hash: the letter tells them apart. */
function keyOf(versionId: number, text: string): string {
  if (text.length <= HASH_ABOVE) return `${versionId}t${text}`;
  return `${versionId}h${createHash('sha256').update(text).digest('base64url')}`;
}
