import { sleep } from './sleep.ts';

/**
 * Waits until notified or aborted, or for `ms`: notifications come from NOTIFY, polling is the fallback. Any role may
 * send any number of NOTIFYs: `minMs` is the minimum time between the ends of two waits.
 */
export class Wake {
  readonly #minMs: number;
  #wokeMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;
  #notified = false;

  constructor(minMs = 0) {
    this.#minMs = minMs;
  }

  notify(): void {
    this.#notified = true;
    this.#wake?.();
  }

  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#notified && !signal?.aborted) {
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
    this.#notified = false; // earlier notifications are handled by the work that follows
  }
}
