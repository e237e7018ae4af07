const LEAST_RUNS = 3;
/** Cold code is ten times slower than warm: a short batch is run often before its time counts. */
const MOST_RUNS = 60;
/** Enough for one batch size; a model is loaded in less time than people wait. */
const ENOUGH_MS = 40;
/** A batch that took so long is run once. */
const SLOW_MS = 100;

/** How long a run takes, ms, ascending: of several runs the later half, when the code is warm. */
export async function timings(run: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  let totalMs = 0;
  while (times.length < LEAST_RUNS || (times.length < MOST_RUNS && totalMs < ENOUGH_MS)) {
    const startedMs = performance.now();
    await run();
    const ms = performance.now() - startedMs;
    times.push(ms);
    totalMs += ms;
    if (ms > SLOW_MS) break;
  }
  return times.slice(Math.floor(times.length / 2)).sort((a, b) => a - b);
}
