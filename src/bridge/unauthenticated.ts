/** What can be thrown out. */
interface Evictable {
  destroy(): void;
}

/**
 * Connections that have not shown that they know the secret. Half of the places are for those that have not said a word,
 * half for those that have; where a half is full, the one whose last whole message is oldest makes way. So whoever connects
 * and is silent takes no place from a handshake that goes on, which takes milliseconds.
 */
export class UnauthenticatedConnections<Stranger extends Evictable> {
  readonly #most: number;
  /** In the order in which they were heard last. */
  readonly #silent = new Set<Stranger>();
  readonly #talking = new Set<Stranger>();

  constructor(most: number) {
    this.#most = Math.max(1, most >> 1);
  }

  *[Symbol.iterator](): IterableIterator<Stranger> {
    yield* this.#silent;
    yield* this.#talking;
  }

  get size(): number {
    return this.#silent.size + this.#talking.size;
  }

  add(stranger: Stranger): void {
    this.#put(this.#silent, stranger);
  }

  heard(stranger: Stranger): void {
    if (!this.remove(stranger)) return;
    this.#put(this.#talking, stranger);
  }

  /** Whether it was one. */
  remove(stranger: Stranger): boolean {
    return this.#silent.delete(stranger) || this.#talking.delete(stranger);
  }

  #put(half: Set<Stranger>, stranger: Stranger): void {
    const [longest] = half;
    if (half.size >= this.#most && longest !== undefined) {
      half.delete(longest);
      longest.destroy();
    }
    half.add(stranger);
  }
}
