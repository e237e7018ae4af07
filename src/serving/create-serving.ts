import { availableParallelism } from 'node:os';
import type { Database } from '../db/database.ts';
import { computing } from '../engine/computing.ts';
import { createParamStore, type StorageOptions } from '../params/create-param-store.ts';
import { ModelFiles } from '../params/model-files.ts';
import { defaultCacheDir } from '../runtime/cache-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import { defaultModelMemory } from './devices/memory-budget.ts';
import { ModelMemory } from './devices/model-memory.ts';
import type { SyntheticTiming } from './devices/synthetic-device.ts';
import { DEFAULT_POLICY, policyByName } from './policies/registry.ts';
import { Serving } from './serving.ts';

export interface CreateServingOptions extends StorageOptions {
  database: Database;
  /** Of all loaded models. */
  modelMemoryBytes?: number | undefined;
  /** Name of the scheduler. */
  policy?: string | undefined;
  /** For measuring only. */
  synthetic?: SyntheticTiming | undefined;
  logger: Logger;
}

/**
 * More threads than this gain nothing for small text models, and each holds every model. On WebGPU there are none: ONNX
 * Runtime has one context in a process, and two threads that use it crash.
 */
const MAX_THREADS = 4;
/** One answers while the other loads a model. */
const MIN_THREADS = 2;

export function createServing(options: CreateServingOptions): Serving {
  const { database, cacheDir = defaultCacheDir(), cacheLimitBytes, policy = DEFAULT_POLICY, logger } = options;
  const { modelMemoryBytes = defaultModelMemory(), synthetic = null } = options;
  const isWebgpu = computing().device === 'webgpu';
  return new Serving({
    database,
    files: new ModelFiles(createParamStore(database, options, { cacheBytes: 1 }), cacheDir, cacheLimitBytes),
    memory: new ModelMemory(modelMemoryBytes),
    policy: policyByName(policy),
    threads: isWebgpu ? 0 : Math.max(MIN_THREADS, Math.min(availableParallelism(), MAX_THREADS)),
    synthetic,
    logger,
  });
}
