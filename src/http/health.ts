import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import type { BridgePool } from './predict/bridge-pool.ts';

export interface HealthOptions {
  database: Database;
  pool: BridgePool;
  /** The OpenAPI document. */
  document: object;
}

/** How long an answer of Postgres counts: anyone may ask. */
const READY_MS = 1_000;

/** Whether Postgres answers, asked at most once a second, and whether any prediction server is known. */
export function readiness({ database, pool }: Pick<HealthOptions, 'database' | 'pool'>): () => Promise<boolean> {
  let checkedMs = Number.NEGATIVE_INFINITY;
  let last: Promise<boolean> = Promise.resolve(false);
  return async () => {
    if (performance.now() - checkedMs > READY_MS) {
      checkedMs = performance.now();
      last = database.query('select 1').then(
        () => true,
        () => false,
      );
    }
    return (await last) && pool.hasServers;
  };
}

/** What needs no role: health, and what the paths are. */
export function addHealth(app: FastifyInstance, options: HealthOptions): void {
  const isReady = readiness(options);
  app.get('/health/live', async () => ({ live: true }));
  app.get('/health/ready', async (_, reply) => {
    const ready = await isReady();
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get('/openapi.json', async () => options.document);
}
