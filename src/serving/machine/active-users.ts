import type { Clock } from '../../runtime/clock.ts';

/**
 * A role stays active for this long after its last request: a role with one request every few minutes must not find all
 * threads taken by long batches.
 */
export const ACTIVE_MS = 600_000;

/** Whether several users, roles or sessions, made requests within `activeMs`. Who has no competition is not restricted. */
export class ActiveUsers<K> {
  readonly #activeMs: number;
  #latest: K | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;
  /** When another user than the latest made its last request. */
  #otherMs = Number.NEGATIVE_INFINITY;

  constructor(activeMs: number) {
    this.#activeMs = activeMs;
  }

  /** `own` is what is kept of the user. */
  requested(user: K, nowMs: number, own = (kept: K): K => kept): void {
    if (user !== this.#latest) {
      this.#otherMs = this.#latestMs;
      this.#latest = own(user);
    }
    this.#latestMs = nowMs;
  }

  /** Reads the clock only if another user made a request: a lone request takes 10 µs, and reading the clock 1 µs. */
  hasSeveral(clock: Clock): boolean {
    return this.#otherMs > Number.NEGATIVE_INFINITY && clock.nowMs() - this.#otherMs < this.#activeMs;
  }
}

/** A copy, because a substring keeps the whole request in memory. */
export const ownCopy = (input: string): string => Buffer.from(input).toString();
