import type { Clock } from '../../runtime/clock.ts';

/**
 * A role stays active for this long after its last request: a role with one request every few minutes must not find all
 * threads taken by long batches.
 */
export const ACTIVE_MS = 600_000;

/** Whether several roles use this server. A role without competition is not restricted by fair sharing. */
export class ActiveRoles {
  #latest: string | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;
  /** When a role other than the latest made its last request. */
  #otherMs = Number.NEGATIVE_INFINITY;

  requested(role: string, nowMs: number): void {
    if (role !== this.#latest) {
      this.#otherMs = this.#latestMs;
      this.#latest = ownCopy(role);
    }
    this.#latestMs = nowMs;
  }

  /** Reads the clock only if another role made a request: a lone request takes 10 µs, and reading the clock 1 µs. */
  hasSeveral(clock: Clock): boolean {
    return this.#otherMs > Number.NEGATIVE_INFINITY && clock.nowMs() - this.#otherMs < ACTIVE_MS;
  }
}

/** A copy, because a substring keeps the whole request in memory. */
export const ownCopy = (input: string): string => Buffer.from(input).toString();
