import type { Clock } from '../runtime/clock.ts';

/** A session that asked in the last one to two windows is active. */
const WINDOW_MS = 20;

/** Counts the sessions that asked lately, in two windows: constant time, however many there are. */
export class RecentSessions {
  readonly #clock: Clock;
  #current = new Set<number>();
  #previous = new Set<number>();
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  saw(session: number): void {
    this.#turn();
    this.#current.add(session);
  }

  count(): number {
    this.#turn();
    return Math.max(this.#current.size, this.#previous.size);
  }

  #turn(): void {
    const ageMs = this.#clock.nowMs() - this.#sinceMs;
    if (ageMs < WINDOW_MS) return;
    this.#previous = ageMs < 2 * WINDOW_MS ? this.#current : new Set();
    this.#current = new Set();
    this.#sinceMs = this.#clock.nowMs();
  }
}
