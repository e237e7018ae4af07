import type { Clock } from '../../runtime/clock.ts';

/** Who asked within so long is about: a role that asks once in a few minutes must not find all threads taken for long. */
const ABOUT_MS = 600_000;

/** Whether several roles ask this server these days. One that is alone has it as if there were no others. */
export class Crowd {
  #latest: string | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;
  /** When another role than the latest asked last. */
  #otherMs = Number.NEGATIVE_INFINITY;

  asked(role: string, nowMs: number): void {
    if (role !== this.#latest) {
      this.#otherMs = this.#latestMs;
      this.#latest = ownCopy(role);
    }
    this.#latestMs = nowMs;
  }

  /** The clock is read only where another role has asked: a lone request is answered in 10 µs, and it takes a tenth of one. */
  isMixed(clock: Clock): boolean {
    return this.#otherMs > Number.NEGATIVE_INFINITY && clock.nowMs() - this.#otherMs < ABOUT_MS;
  }
}

/** What is kept of a request must not hold on to all of it, as a part of a long string does. */
export const ownCopy = (input: string): string => Buffer.from(input).toString();
