/** Wakes those who wait for something to change, and look at it themselves. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** What is found now or after one of the next changes; undefined where it is not, after so long. */
  async until<T>(ms: number, found: () => T | undefined): Promise<T | undefined> {
    const deadline = performance.now() + ms;
    for (;;) {
      const result = found();
      const leftMs = deadline - performance.now();
      if (result !== undefined || leftMs <= 0) return result;
      await this.#next(leftMs);
    }
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, ms));
      this.#waiting.add(done);
    });
  }
}
