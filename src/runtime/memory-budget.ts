interface Waiter {
  bytes: number;
  admit(): void;
}

/** Memory that long requests share, granted in the order of the requests. */
export class MemoryBudget {
  #free: number;
  readonly #waiting = new Set<Waiter>();

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /**
   * Undefined if granted immediately. The caller must refuse a request that is larger than the whole budget: it would
   * wait forever.
   */
  acquire(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#waiting.size === 0 && bytes <= this.#free) {
      this.#free -= bytes;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter);
        reject(signal.reason as Error);
        this.#admit();
      };
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiter = { bytes, admit: enter };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  release(bytes: number): void {
    this.#free += bytes;
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (waiter.bytes > this.#free) return;
      this.#free -= waiter.bytes;
      this.#waiting.delete(waiter);
      waiter.admit();
    }
  }
}
