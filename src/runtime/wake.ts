import { sleep } from './sleep.ts';

/**
 * Sleeps until poked, aborted, or `ms` have passed: NOTIFY is the poke, the slow poll the backstop. Any role may send a NOTIFY, and as
 * many as it likes: with `minMs` a wait ends no sooner than so long after the one before.
 */
export class Wake {
  readonly #minMs: number;
  #wokeMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;
  #poked = false;

  constructor(minMs = 0) {
    this.#minMs = minMs;
  }

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
    const earlyMs = this.#wokeMs + this.#minMs - performance.now();
    if (earlyMs > 0) await sleep(earlyMs, signal);
    this.#wokeMs = performance.now();
    this.#poked = false; // whoever poked until now is seen to by what follows
  }
}
