/** Wakes waiters at each change, so that they check their condition again. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** The first defined result of `found`, now or after a change; undefined after `ms`. */
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
