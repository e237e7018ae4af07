import type { DataCache } from '../datasets/data-cache.ts';
import type { Database } from '../db/database.ts';
import type { FamilySource } from '../families/sources.ts';
import type { ModelFiles } from '../params/model-files.ts';
import type { ParamStore } from '../params/param-store.ts';
import type { Logger } from '../runtime/logger.ts';
import type { RoundFolders } from './round-folders.ts';

export interface TrialRunOptions {
  database: Database;
  params: ParamStore;
  cache: DataCache;
  /** Models and encoders on the local disk. */
  files: ModelFiles;
  /** Of the vectors that encoders compute. */
  vectorDir: string;
  roundFolders: RoundFolders;
  /** Families from elsewhere. */
  sources: readonly FamilySource[];
  threads: number;
  /** Threads of a trial that has this machine to itself. */
  machineThreads: number;
  checkpointEveryMs: number;
  /** How long a role without running trials waits for a worker of one that has several. */
  yieldMs?: number | undefined;
  logger: Logger;
}
