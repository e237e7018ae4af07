const MIN_RUNS = 3;
/** The first runs of code are ten times slower: short batches are repeated. */
const MAX_RUNS = 60;
/** Time limit for one batch size; loading a model must not take longer than callers wait. */
const ENOUGH_MS = 40;
/** A batch this slow runs once. */
const SLOW_MS = 100;

/** The shortest of several runs, ms, which excludes the effect of other load on the machine. */
export async function quickestRun(run: () => Promise<{ ms: number }>): Promise<number> {
  let quickestMs = Number.POSITIVE_INFINITY;
  const endMs = performance.now() + ENOUGH_MS;
  for (let runs = 0; runs < MIN_RUNS || (runs < MAX_RUNS && performance.now() < endMs); runs++) {
    const { ms } = await run();
    quickestMs = Math.min(quickestMs, ms);
    if (ms > SLOW_MS) break;
  }
  return quickestMs;
}
