/** Node fires timers of more than 2³¹ ms, about 25 days, immediately. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * As setTimeout, but longer delays fire after LONGEST_TIMER_MS: the callback must check the clock or tolerate an early
 * call.
 */
export const setTimer = (call: () => void, ms: number): NodeJS.Timeout =>
  setTimeout(call, Math.min(ms, LONGEST_TIMER_MS));
