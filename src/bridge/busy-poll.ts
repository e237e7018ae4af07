import type { Clock } from '../runtime/clock.ts';

/** How long the event loop polls after an answer. A backend sends its next request within 20 to 100 µs. */
const POLL_MS = 0.2;
/**
 * No polling for this long after two sessions alternated: the event loop is busy, and their backends need the cores.
 */
const CONTENTION_MS = 100;
/** Maximum number of answers without polling after polling found no request. */
const MAX_SKIPPED = 255;

/**
 * Waking a sleeping thread takes 40 to 50 µs, half of a round trip. So after each answer to a lone session the event
 * loop polls for a moment instead of sleeping, unless batches need the cores. A backend on the same core cannot send
 * its request while the loop polls, so the loop polls less often when polling finds no request.
 */
export class BusyPoll {
  readonly #clock: Clock;
  readonly #isIdle: () => boolean;
  #last: object | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #contendedUntilMs = Number.NEGATIVE_INFINITY;
  #polling = false;
  /** Answers without polling: how many, and how many so far. */
  #toSkip = 0;
  #skipped = 0;

  /** `isIdle` returns whether no batch is running. */
  constructor(clock: Clock, isIdle: () => boolean) {
    this.#clock = clock;
    this.#isIdle = isIdle;
  }

  answered(session: object): void {
    const nowMs = this.#clock.nowMs();
    if (session !== this.#last && nowMs - this.#lastMs < CONTENTION_MS) this.#contendedUntilMs = nowMs + CONTENTION_MS;
    this.#last = session;
    this.#lastMs = nowMs;
    if (this.#polling) {
      this.#toSkip = 0; // the request arrived in time
      return;
    }
    if (nowMs < this.#contendedUntilMs || !this.#isIdle()) return;
    if (this.#skipped < this.#toSkip) {
      this.#skipped++;
      return;
    }
    this.#skipped = 0;
    this.#polling = true;
    setImmediate(() => this.#poll());
  }

  /** Drops the reference to a closed session. */
  forget(session: object): void {
    if (this.#last === session) this.#last = undefined;
  }

  #poll(): void {
    const isIdle = this.#isIdle();
    if (isIdle && this.#clock.nowMs() - this.#lastMs < POLL_MS) {
      setImmediate(() => this.#poll());
      return;
    }
    this.#polling = false;
    if (isIdle) this.#toSkip = Math.min(MAX_SKIPPED, 2 * this.#toSkip + 1);
  }
}
