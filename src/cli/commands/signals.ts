/** A second signal changes nothing: all is stopping already, and what were killed now would leave others behind. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    process.once('disconnect', () => resolve()); // the parent died: nobody would stop us later
  });
}
