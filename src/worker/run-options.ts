import type { DataCache } from '../datasets/data-cache.ts';
import type { Database } from '../db/database.ts';
import type { ParamStore } from '../params/param-store.ts';
import type { Logger } from '../runtime/logger.ts';
import type { RoundFolders } from './round-folders.ts';

export interface TrialRunOptions {
  database: Database;
  params: ParamStore;
  cache: DataCache;
  roundFolders: RoundFolders;
  threads: number;
  /** Threads of a trial that has this machine to itself. */
  machineThreads: number;
  checkpointEveryMs: number;
  logger: Logger;
}
