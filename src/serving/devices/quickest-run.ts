const MIN_RUNS = 3;
/** The first runs of code are ten times slower: short batches are repeated. */
const MAX_RUNS = 60;
/** Time limit for one batch size; loading a model must not take longer than callers wait. */
const ENOUGH_MS = 40;
/** A batch this slow runs once. */
const SLOW_MS = 100;

/** The shortest of several runs, ms, which excludes the effect of other load on the machine. */
export async function quickestRun(run: () => Promise<unknown>): Promise<number> {
  let quickestMs = Number.POSITIVE_INFINITY;
  let totalMs = 0;
  for (let runs = 0; runs < MIN_RUNS || (runs < MAX_RUNS && totalMs < ENOUGH_MS); runs++) {
    const startedMs = performance.now();
    await run();
    const ms = performance.now() - startedMs;
    quickestMs = Math.min(quickestMs, ms);
    totalMs += ms;
    if (ms > SLOW_MS) break;
  }
  return quickestMs;
}
