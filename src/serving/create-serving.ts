import { availableParallelism } from 'node:os';
import type { Database } from '../db/database.ts';
import { chosenDevice } from '../engine/device-name.ts';
import { createParamStore } from '../params/create-param-store.ts';
import { ModelFiles } from '../params/model-files.ts';
import { defaultCacheDir } from '../runtime/cache-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import { modelMemoryBytes } from './devices/memory-budget.ts';
import { ModelMemory } from './devices/model-memory.ts';
import { parseSyntheticTiming } from './devices/synthetic-device.ts';
import { policies, policyByName } from './policies/registry.ts';
import { Serving } from './serving.ts';

export interface CreateServingOptions {
  database: Database;
  logger: Logger;
}

/**
 * More threads than this gain nothing for small text models, and each holds every model. On WebGPU there are none: ONNX
 * Runtime has one context in a process, and two threads that use it crash.
 */
const MAX_THREADS = 4;
/** One answers while the other loads a model. */
const MIN_THREADS = 2;

/** Serving as the environment wants it: `RAFIKI_POLICY`, `RAFIKI_MODEL_MEMORY` and, for measuring only, `RAFIKI_SYNTHETIC_DEVICE`. */
export function createServing({ database, logger }: CreateServingOptions): Serving {
  const cacheDir = defaultCacheDir();
  return new Serving({
    database,
    files: new ModelFiles(createParamStore(database, cacheDir, { cacheBytes: 1 }), cacheDir),
    memory: new ModelMemory(modelMemoryBytes(process.env['RAFIKI_MODEL_MEMORY'])),
    policy: policyByName(process.env['RAFIKI_POLICY'] ?? policies[0]?.name ?? ''),
    threads: chosenDevice() === 'webgpu' ? 0 : Math.max(MIN_THREADS, Math.min(availableParallelism(), MAX_THREADS)),
    synthetic: parseSyntheticTiming(process.env['RAFIKI_SYNTHETIC_DEVICE']),
    logger,
  });
}
