import { sleep } from './sleep.ts';
import { LONGEST_TIMER_MS } from './timer.ts';

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

  /** Calls `work` after each notification, one at a time, until aborted. Rejects if `work` does. */
  async repeat(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.wait(LONGEST_TIMER_MS, signal);
      if (!signal.aborted) await work();
    }
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
