import type { Clock } from '../runtime/clock.ts';

/** How long the event loop stays awake after an answer; a backend asks its next question within 20 to 100 µs. */
const AWAKE_MS = 0.2;
/** So long after two sessions were seen by turns, the loop is left alone: it has enough to do, and the cores are theirs. */
const COMPANY_MS = 100;
/** Where it has caught no question, so many answers at most pass until it is tried again. */
const MAX_PASSED = 255;

/**
 * A thread that sleeps until the next question comes takes 40 to 50 µs to wake up, half of a round trip. So after each
 * answer to a lone session the loop goes round for a moment instead of sleeping, unless batches need the cores. A backend
 * that has its turn on the same core cannot ask before that moment is over, so it is tried less often where it catches nothing.
 */
export class BusyPoll {
  readonly #clock: Clock;
  readonly #isCalm: () => boolean;
  #last: object | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #companyUntilMs = Number.NEGATIVE_INFINITY;
  #awake = false;
  /** Answers to pass before the next try, and those passed. */
  #pause = 0;
  #passed = 0;

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
    if (this.#awake) {
      this.#pause = 0; // the question came in time
      return;
    }
    if (nowMs < this.#companyUntilMs || !this.#isCalm()) return;
    if (this.#passed < this.#pause) {
      this.#passed++;
      return;
    }
    this.#passed = 0;
    this.#awake = true;
    setImmediate(() => this.#goRound());
  }

  /** The session is gone: it must not be kept. */
  forget(session: object): void {
    if (this.#last === session) this.#last = undefined;
  }

  #goRound(): void {
    const isCalm = this.#isCalm();
    if (isCalm && this.#clock.nowMs() - this.#lastMs < AWAKE_MS) {
      setImmediate(() => this.#goRound());
      return;
    }
    this.#awake = false;
    if (isCalm) this.#pause = Math.min(MAX_PASSED, 2 * this.#pause + 1);
  }
}
