/** Node calls at once what it shall call later than in 2³¹ ms, some 25 days. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** As setTimeout; where that is further off than a timer goes, it calls earlier: whoever is called looks at the clock, or does no harm. */
export const setTimer = (call: () => void, ms: number): NodeJS.Timeout =>
  setTimeout(call, Math.min(ms, LONGEST_TIMER_MS));
