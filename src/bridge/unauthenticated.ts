interface Evictable {
  destroy(): void;
}

/**
 * Connections before authentication. Half of the places are for those that have sent no complete message, half for
 * those that have. If a half is full, the connection whose last complete message is oldest is closed. So silent
 * connections cannot displace a handshake in progress, which takes milliseconds.
 */
export class UnauthenticatedConnections<C extends Evictable> {
  readonly #max: number;
  /** In the order of their last complete messages. */
  readonly #silent = new Set<C>();
  readonly #active = new Set<C>();

  constructor(max: number) {
    this.#max = Math.max(1, max >> 1);
  }

  *[Symbol.iterator](): IterableIterator<C> {
    yield* this.#silent;
    yield* this.#active;
  }

  get size(): number {
    return this.#silent.size + this.#active.size;
  }

  add(connection: C): void {
    this.#put(this.#silent, connection);
  }

  messageReceived(connection: C): void {
    if (!this.remove(connection)) return;
    this.#put(this.#active, connection);
  }

  /** Returns whether it was unauthenticated. */
  remove(connection: C): boolean {
    return this.#silent.delete(connection) || this.#active.delete(connection);
  }

  #put(half: Set<C>, connection: C): void {
    const [oldest] = half;
    if (half.size >= this.#max && oldest !== undefined) {
      half.delete(oldest);
      oldest.destroy();
    }
    half.add(connection);
  }
}
