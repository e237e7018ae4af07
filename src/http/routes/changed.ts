import { sleep } from '../../runtime/sleep.ts';

/** To wait for a change of any. */
export const ANY_STUDY = '';

/** Who waits for changes of studies. Any role can send the notifications: they only end a wait, at most every `minMs`. */
export class Changed {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** `study`: its number as text. */
  notify(study: string): void {
    for (const key of [study, ANY_STUDY]) for (const wake of this.#waiting.get(key) ?? []) wake();
  }

  notifyAll(): void {
    for (const wakes of this.#waiting.values()) for (const wake of wakes) wake();
  }

  /** Resolves after a change, but not before `minMs`; after `maxMs` anyway, or when aborted. */
  async wait(
    study: string,
    { minMs, maxMs, signal }: { minMs: number; maxMs: number; signal: AbortSignal },
  ): Promise<void> {
    const startedMs = performance.now();
    await new Promise<void>((resolve) => {
      const wakes = this.#waiting.get(study) ?? new Set();
      this.#waiting.set(study, wakes);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        wakes.delete(done);
        if (wakes.size === 0 && this.#waiting.get(study) === wakes) this.#waiting.delete(study);
        resolve();
      };
      const timer = setTimeout(done, maxMs);
      wakes.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
    const earlyMs = startedMs + minMs - performance.now();
    if (earlyMs > 0 && !signal.aborted) await sleep(earlyMs, signal);
  }
}
