import { setTimer } from './timer.ts';

/** The current time as an argument, so that tests can control it. Latency is measured on the monotonic clock only. */
export interface Clock {
  /** Milliseconds on a monotonic clock; only differences are meaningful. */
  nowMs(): number;
}

/** A clock with timers. */
export interface TimerClock extends Clock {
  /** Calls once, after `ms` or a little later; the result cancels that. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: TimerClock = {
  nowMs: () => performance.now(),
  after(ms, call) {
    const timer = setTimer(call, ms);
    return () => clearTimeout(timer);
  },
};

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
