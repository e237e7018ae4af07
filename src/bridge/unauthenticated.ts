/** What can be thrown out. */
interface Evictable {
  destroy(): void;
}

/**
 * Connections that have not shown that they know the secret. Half of the places are for those that have sent no message,
 * half for those that have; where a half is full, the one whose last whole message is oldest makes way. So whoever connects
 * and is silent takes no place from a handshake that goes on, which takes milliseconds.
 */
export class UnauthenticatedConnections<C extends Evictable> {
  readonly #max: number;
  /** In the order in which they were heard last. */
  readonly #silent = new Set<C>();
  readonly #talking = new Set<C>();

  constructor(max: number) {
    this.#max = Math.max(1, max >> 1);
  }

  *[Symbol.iterator](): IterableIterator<C> {
    yield* this.#silent;
    yield* this.#talking;
  }

  get size(): number {
    return this.#silent.size + this.#talking.size;
  }

  add(connection: C): void {
    this.#put(this.#silent, connection);
  }

  heardFrom(connection: C): void {
    if (!this.remove(connection)) return;
    this.#put(this.#talking, connection);
  }

  /** Whether it was one. */
  remove(connection: C): boolean {
    return this.#silent.delete(connection) || this.#talking.delete(connection);
  }

  #put(half: Set<C>, connection: C): void {
    const [longest] = half;
    if (half.size >= this.#max && longest !== undefined) {
      half.delete(longest);
      longest.destroy();
    }
    half.add(connection);
  }
}
