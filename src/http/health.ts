import type { FastifyInstance } from 'fastify';
import { recent } from '../runtime/recent.ts';
import type { BridgePool } from './predict/bridge-pool.ts';

export interface HealthOptions {
  pool: BridgePool;
  /** The OpenAPI document. */
  document: object;
}

/** How long an answer of Postgres counts: anyone may ask. */
const READY_MS = 1_000;

/** Whether Postgres answers, and lists a prediction server: asked at most once a second. */
export const readiness = (pool: BridgePool): (() => Promise<boolean>) =>
  recent(
    async () => {
      await pool.refresh();
      return pool.hasServers;
    },
    READY_MS,
    false,
  );

/** What needs no role: health, and what the paths are. */
export function addHealth(app: FastifyInstance, options: HealthOptions): void {
  const isReady = readiness(options.pool);
  app.get('/health/live', async () => ({ live: true }));
  app.get('/health/ready', async (_, reply) => {
    const ready = await isReady();
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  const document = Buffer.from(JSON.stringify(options.document)); // once: anyone may ask, and not read it
  app.get('/openapi.json', async (_, reply) => reply.type('application/json; charset=utf-8').send(document));
}
