interface RoomWaiter {
  bytes: number;
  enter(): void;
}

/** Memory that long requests share: who finds none free waits his turn. */
export class Room {
  #free: number;
  readonly #waiting = new Set<RoomWaiter>();

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Undefined where there is room at once. A request larger than all of it never fits: that is for the caller to refuse. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined {
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
      const waiter = { bytes, enter };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  give(bytes: number): void {
    this.#free += bytes;
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (waiter.bytes > this.#free) return;
      this.#free -= waiter.bytes;
      this.#waiting.delete(waiter);
      waiter.enter();
    }
  }
}
