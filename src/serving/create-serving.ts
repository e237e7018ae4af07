import { availableParallelism } from 'node:os';
import type { Database } from '../db/database.ts';
import { connectBridge, keepSecret } from '../db/statements/serving.ts';
import { chosenDevice } from '../engine/device-name.ts';
import { createParamStore } from '../params/create-param-store.ts';
import type { Logger } from '../runtime/logger.ts';
import { policies, policyByName } from './policies/registry.ts';
import { Serving } from './serving.ts';
import { parseSyntheticTiming } from './synthetic-device.ts';

export interface CreateServingOptions {
  database: Database;
  logger: Logger;
}

/**
 * More threads than this gain nothing for small text models, and each holds every model. On WebGPU there are none: ONNX
 * Runtime has one context in a process, and two threads that use it crash.
 */
const MAX_THREADS = 4;

/** Serving as the environment wants it: `RAFIKI_POLICY` and, for measuring only, `RAFIKI_SYNTHETIC_DEVICE`. */
export function createServing({ database, logger }: CreateServingOptions): Serving {
  return new Serving({
    database,
    params: createParamStore(database),
    policy: policyByName(process.env['RAFIKI_POLICY'] ?? policies[0]?.name ?? ''),
    threads: chosenDevice() === 'webgpu' ? 0 : Math.min(availableParallelism(), MAX_THREADS),
    synthetic: parseSyntheticTiming(process.env['RAFIKI_SYNTHETIC_DEVICE']),
    logger,
  });
}

/** Where the database finds the bridge, as rows keep it. */
export class BridgeRecord {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The secret that the foreign server and the bridge share; `fresh` where there is none yet. */
  secret(fresh: { host: string; port: number; secret: string }): Promise<string> {
    return keepSecret(this.#database, fresh);
  }

  /** Points the foreign server at the bridge; always, since a restored dump has the row and not the server. */
  announce(address: { host: string; port: number; secret: string }): Promise<void> {
    return connectBridge(this.#database, address);
  }
}
