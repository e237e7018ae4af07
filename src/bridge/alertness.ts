import type { Clock } from '../runtime/clock.ts';

/** How long the event loop stays awake after an answer; a backend asks its next question within 20 to 100 µs. */
const AWAKE_MS = 0.2;
/** So long after two sessions were seen by turns, the loop is left alone: it has enough to do, and the cores are theirs. */
const COMPANY_MS = 100;

/**
 * A thread that sleeps until the next question comes takes 40 to 50 µs to wake up, half of a round trip. So after each
 * answer to a lone session the loop goes round for a moment instead of sleeping, unless batches need the cores.
 */
export class Alertness {
  readonly #clock: Clock;
  readonly #isCalm: () => boolean;
  #last: object | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #companyUntilMs = Number.NEGATIVE_INFINITY;
  #awake = false;

  /** `isCalm` tells whether no batch runs beside the event loop. */
  constructor(clock: Clock, isCalm: () => boolean) {
    this.#clock = clock;
    this.#isCalm = isCalm;
  }

  answered(session: object): void {
    const nowMs = this.#clock.nowMs();
    if (session !== this.#last && nowMs - this.#lastMs < COMPANY_MS) this.#companyUntilMs = nowMs + COMPANY_MS;
    this.#last = session;
    this.#lastMs = nowMs;
    if (this.#awake || nowMs < this.#companyUntilMs || !this.#isCalm()) return;
    this.#awake = true;
    setImmediate(() => this.#goRound());
  }

  /** The session is gone: it must not be kept. */
  forget(session: object): void {
    if (this.#last === session) this.#last = undefined;
  }

  #goRound(): void {
    if (this.#clock.nowMs() - this.#lastMs < AWAKE_MS && this.#isCalm()) setImmediate(() => this.#goRound());
    else this.#awake = false;
  }
}
