const LEAST_RUNS = 3;
/** Cold code is ten times slower than warm: a short batch is run often. */
const MAX_RUNS = 60;
/** Enough for one batch size; a model is loaded in less time than people wait. */
const ENOUGH_MS = 40;
/** A batch that took so long is run once. */
const SLOW_MS = 100;

/** How long the quickest of some runs takes, ms: what else the machine does just now must not count. */
export async function quickestRun(run: () => Promise<unknown>): Promise<number> {
  let quickestMs = Number.POSITIVE_INFINITY;
  let totalMs = 0;
  for (let runs = 0; runs < LEAST_RUNS || (runs < MAX_RUNS && totalMs < ENOUGH_MS); runs++) {
    const startedMs = performance.now();
    await run();
    const ms = performance.now() - startedMs;
    quickestMs = Math.min(quickestMs, ms);
    totalMs += ms;
    if (ms > SLOW_MS) break;
  }
  return quickestMs;
}
