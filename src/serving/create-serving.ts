import { availableParallelism } from 'node:os';
import type { Database } from '../db/database.ts';
import { computing } from '../engine/computing.ts';
import { createParamStore, type StorageOptions } from '../params/create-param-store.ts';
import { ModelFiles } from '../params/model-files.ts';
import { defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { defaultModelMemory } from '../runtime/limited/default-memory.ts';
import type { Logger } from '../runtime/logger.ts';
import { ModelMemory } from './devices/model-memory.ts';
import type { SyntheticTiming } from './devices/synthetic-device.ts';
import { DEFAULT_POLICY, policyByName } from './policies/registry.ts';
import { Serving } from './serving.ts';

export interface CreateServingOptions extends StorageOptions {
  database: Database;
  /** Maximum for all loaded models together. */
  modelMemoryBytes?: number | undefined;
  /** Maximum for the imported models of one owner. */
  importMemoryBytes?: number | undefined;
  /** The policy's name. */
  policy?: string | undefined;
  /** For measurements only. */
  synthetic?: SyntheticTiming | undefined;
  logger: Logger;
}

/**
 * More threads do not help small text models, and each thread holds a copy of every model. On WebGPU there are no
 * threads: ONNX Runtime has one context per process, and using it from two threads crashes.
 */
const MAX_THREADS = 4;
/** One thread answers while the other loads a model. */
const MIN_THREADS = 2;

export function createServing(options: CreateServingOptions): Serving {
  const { database, cacheDir = defaultCacheDir(), cacheLimitBytes, policy = DEFAULT_POLICY, logger } = options;
  const { modelMemoryBytes = defaultModelMemory(), importMemoryBytes, synthetic = null } = options;
  const isWebgpu = computing().device === 'webgpu';
  return new Serving({
    database,
    files: new ModelFiles(createParamStore(database, options, { cacheBytes: 1 }), cacheDir, cacheLimitBytes),
    memory: new ModelMemory(modelMemoryBytes),
    importMemoryBytes,
    policy: policyByName(policy),
    threads: isWebgpu ? 0 : Math.max(MIN_THREADS, Math.min(availableParallelism(), MAX_THREADS)),
    synthetic,
    logger,
  });
}
