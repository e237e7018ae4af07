import { HashIndex } from './hash-index.ts';

/** Number of texts that contain each hash. */
export class TextCounts {
  readonly #index: HashIndex;
  #counts = new Int32Array(1024);
  /** Index, from 1, of the last text with a hash. */
  #seenIn = new Int32Array(1024);

  constructor(expected: number) {
    this.#index = new HashIndex(expected);
  }

  add(text: number, hash: number): void {
    const number = this.#index.add(hash);
    if (number >= this.#counts.length) {
      this.#counts = grown(this.#counts);
      this.#seenIn = grown(this.#seenIn);
    }
    if (this.#seenIn[number] === text + 1) return;
    this.#seenIn[number] = text + 1;
    this.#counts[number]!++;
  }

  /** Number of texts with the hash. */
  countOf(hash: number): number {
    return this.#counts[this.#index.get(hash)] ?? 0;
  }

  /** Hashes in at least `minTexts` texts, most frequent first, ties by hash, so that equal data gives equal tables. */
  mostFrequent({ minTexts, maxRows }: { minTexts: number; maxRows: number }): Int32Array {
    const keys = this.#index.keys();
    const key = (number: number): number => keys[number] as number;
    const count = (number: number): number => this.#counts[number] as number;
    const numbers = Array.from(keys.keys()).filter((number) => number > 0 && count(number) >= minTexts);
    numbers.sort((a, b) => count(b) - count(a) || key(a) - key(b));
    return Int32Array.from(numbers.slice(0, maxRows), key);
  }
}

function grown(values: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
}
