/** Sleeps until poked, aborted, or `ms` have passed: NOTIFY is the poke, the slow poll the backstop. */
export class Wake {
  #wake: (() => void) | undefined;
  #poked = false;

  poke(): void {
    this.#poked = true;
    this.#wake?.();
  }

  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#poked && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        this.#wake = done;
        signal?.addEventListener('abort', done, { once: true });
      });
    }
    this.#wake = undefined;
    this.#poked = false;
  }
}
