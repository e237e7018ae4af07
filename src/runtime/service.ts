/** The contract of everything that has a life. `stop()` is idempotent and returns when nothing is left running. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts in order; what had started is stopped again, in reverse, when a later one fails. */
export async function startAll(services: readonly Service[]): Promise<void> {
  const started: Service[] = [];
  try {
    for (const service of services) {
      await service.start();
      started.push(service);
    }
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

/** Stops in reverse order, every one even if one fails; the first failure is thrown at the end. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const failures: unknown[] = [];
  for (const service of [...services].reverse()) {
    await service.stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
