import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createBridge } from '../../src/bridge/create-bridge.ts';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker, type WorkerOptions } from '../../src/worker/create-worker.ts';

export interface RunningProcesses {
  stop(): Promise<void>;
}

/** Server, coordinator and a worker of ours within this process, on a cache of their own. */
export async function startProcesses(
  database: Database,
  own: Pick<WorkerOptions, 'sources' | 'checkpointEveryMs'> = {},
): Promise<RunningProcesses> {
  const cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
  const services = [
    createBridge({ database, port: 0, cacheDir, logger }),
    createCoordinator({ database, cacheDir, logger }),
    createWorker({ database, threads: 1, cores: 2, cacheDir, logger, ...own }),
  ];
  const stop = async (): Promise<void> => {
    await stopAll(services);
    rmSync(cacheDir, { recursive: true });
  };
  await startAll(services).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { stop };
}
