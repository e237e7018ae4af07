import type { Clock } from '../../runtime/clock.ts';

const WINDOW_MS = 60_000;
/** Counters kept: the oldest are forgotten first. */
const MAX_KEYS = 10_000;

interface FailureWindow {
  startedMs: number;
  count: number;
}

/** Counts failures by key in windows of a minute. */
export class Failures {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #windows = new Map<string, FailureWindow>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Seconds until the next attempt is allowed; 0: now. */
  waitSeconds(key: string): number {
    const window = this.#current(key);
    if (window === undefined || window.count < this.#max) return 0;
    return Math.max(1, Math.ceil((window.startedMs + WINDOW_MS - this.#clock.nowMs()) / 1000));
  }

  add(key: string): void {
    const window = this.#current(key);
    if (window !== undefined) {
      window.count++;
      return;
    }
    this.#windows.delete(key);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size >= MAX_KEYS && oldest !== undefined) this.#windows.delete(oldest);
    this.#windows.set(key, { startedMs: this.#clock.nowMs(), count: 1 });
  }

  #current(key: string): FailureWindow | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && this.#clock.nowMs() - window.startedMs < WINDOW_MS ? window : undefined;
  }
}
