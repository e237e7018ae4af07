/** Ignores further signals: stopping is in progress, and an early exit would leave child processes behind. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    process.once('disconnect', () => resolve()); // the parent died
  });
}
