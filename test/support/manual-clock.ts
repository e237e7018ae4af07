import type { TimerClock } from '../../src/runtime/clock.ts';

/** A clock for tests and simulations that is advanced explicitly. */
export class ManualClock implements TimerClock {
  #nowMs = 0;
  /** The soonest first. */
  readonly #timers: { ms: number; call: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** When the next timer is due; infinite if there is none. */
  get nextMs(): number {
    return this.#timers[0]?.ms ?? Number.POSITIVE_INFINITY;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { ms: this.#nowMs + ms, call };
    this.#timers.splice(this.#timers.findLastIndex((other) => other.ms <= timer.ms) + 1, 0, timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  }

  advance(ms: number): void {
    this.advanceTo(this.#nowMs + ms);
  }

  /** Timers that are due until then are called in turn, each at its time. */
  advanceTo(ms: number): void {
    while (this.nextMs <= ms) {
      const timer = this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, timer?.ms ?? 0);
      timer?.call();
    }
    this.#nowMs = ms;
  }
}
