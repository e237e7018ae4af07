/**
 * The contract of everything that is started and stopped. `stop()` is idempotent and resolves when nothing is running
 * any more.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts services in order; if one fails, stops the started ones in reverse order. */
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

/** Stops all services in reverse order, even if one fails; throws the first failure at the end. */
export async function stopAll(services: readonly Pick<Service, 'stop'>[]): Promise<void> {
  const failures: unknown[] = [];
  for (const service of [...services].reverse()) {
    await service.stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
