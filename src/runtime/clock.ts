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
