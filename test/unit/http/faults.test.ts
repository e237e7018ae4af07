import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addRoutes, createApp } from '../../../src/http/app.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { addInference } from '../../../src/http/inference/routes.ts';
import { defaultHttpLimits as limits } from '../../../src/http/limits.ts';
import type { BridgePool } from '../../../src/http/predict/bridge-pool.ts';
import type { Predictions } from '../../../src/http/predict/predictions.ts';
import { Changed } from '../../../src/http/routes/changed.ts';
import { eventRoutes, Streams } from '../../../src/http/routes/events.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';

/** What a client is not told is in the log, once. */
const fault = new TypeError('a fault of the server');
const warn = vi.fn();
const logger: Logger = { ...silentLogger, warn };
const changed = new Changed();
let app: FastifyInstance;
let looks: number;

beforeEach(() => {
  warn.mockClear();
  looks = 0;
  app = createApp({ tls: undefined, corsOrigins: [], limits, logger });
  const sessions = {
    async call() {
      if (++looks > 1) throw fault;
      return [{ study: 1, state: 'running' }];
    },
    stop: async () => undefined,
  };
  const statements = new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 });
  const signIns = { of: () => new SignedIn({ role: 'ann', servedAs: 'ann', api: 'public', sessions, statements }) };
  const stopping = new AbortController().signal;
  addRoutes(
    app,
    eventRoutes({ changed, streams: new Streams(limits), stopping, signIns, recheckMs: 60_000, logger }),
    signIns,
  );
  const predictions = {
    model: (_: SignedIn, name: string) => {
      throw name === 'none' ? Object.assign(new Error('no'), { statusCode: 404 }) : fault;
    },
  } as unknown as Predictions;
  addInference(app, { pool: { hasServers: true } as BridgePool, predictions, signIns, logger });
});
afterEach(() => app.close());

const logged = (path: string) => [[{ path, err: String(fault) }, 'a request failed']];

test('one under /v2 is logged', async () => {
  const answer = await app.inject({ url: '/v2/models/m' });
  expect([answer.statusCode, answer.json()]).toEqual([500, { error: 'internal error', code: 'XX000' }]);
  expect(warn.mock.calls).toEqual(logged('/v2/models/:model'));
  expect((await app.inject({ url: '/v2/models/none' })).statusCode).toBe(404);
  expect(warn).toHaveBeenCalledOnce();
});

test('one within a stream of events is logged', { timeout: 60_000 }, async () => {
  const answer = app.inject({ url: '/v1/studies/1/events' });
  await vi.waitFor(() => expect(looks).toBe(1));
  changed.notify('1');
  expect((await answer).body).toContain('event: error\ndata: {"status":500,"code":"XX000","message":"internal error"}');
  expect(warn.mock.calls).toEqual(logged('/v1/studies/:study/events'));
});
