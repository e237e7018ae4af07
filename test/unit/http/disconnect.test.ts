import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { AuthenticationFailed, DatabaseUnreachable } from '../../../src/errors/errors.ts';
import { addRoutes, createApp } from '../../../src/http/app.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';
import { type HttpRoute, route } from '../../../src/http/route.ts';
import { Changed } from '../../../src/http/routes/changed.ts';
import { eventRoutes, Streams } from '../../../src/http/routes/events.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const limits = defaultHttpLimits;
const stillThere = { signIns: { of: () => Promise.reject(new Error('not asked')) }, recheckMs: 3_600_000 };
let app: FastifyInstance;

afterEach(async () => {
  const closing = app.close();
  app.server.closeAllConnections(); // fetch opens another one after an abort
  await closing;
});

/** The web server with these paths, for a role whose calls are answered with `studies`. */
async function start(
  routes: readonly HttpRoute[],
  studies: () => object[],
  signedIn: (role: SignedIn) => Promise<SignedIn>,
) {
  app = createApp({ tls: undefined, corsOrigins: [], limits, logger: silentLogger });
  const ann = new SignedIn({
    ...{ role: 'ann', servedAs: 'ann', api: 'public' },
    sessions: { call: async () => studies(), stop: async () => undefined },
    statements: new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 }),
  });
  addRoutes(app, routes, { of: () => signedIn(ann) });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

const connections = (): Promise<number> =>
  new Promise((resolve) => app.server.getConnections((_, count) => resolve(count)));

test('a client that leaves while it signs in is noticed', async () => {
  let asked = false;
  let signIn = (): void => undefined;
  let isGone: boolean | undefined;
  const seen = route({
    ...{ method: 'GET', path: '/seen', tag: 'test', summary: 'Notes whether the client is there' },
    handle({ role }) {
      isGone = role.signal?.aborted;
      return {};
    },
  });
  const url = await start(
    [seen],
    () => [],
    (role) => {
      asked = true;
      return new Promise((resolve) => {
        signIn = () => resolve(role);
      });
    },
  );
  const client = new AbortController();
  const request = fetch(`${url}/seen`, { signal: client.signal });
  request.catch(() => undefined);
  await expect.poll(() => asked).toBe(true);
  client.abort();
  await expect.poll(connections).toBe(0);
  signIn();
  await expect.poll(() => isGone).toBe(true);
});

test('a stream reads its first event once, and ends with the study', async () => {
  let reads = 0;
  const routes = eventRoutes({
    changed: new Changed(),
    streams: new Streams(limits),
    stopping: new AbortController().signal,
    ...stillThere,
    logger: silentLogger,
  });
  const studies = (): object[] => [{ study: 1, state: ++reads === 1 ? 'completed' : 'read again' }];
  const url = await start(routes, studies, async (role) => role);
  const answer = await fetch(`${url}/v1/studies/1/events`);
  expect(await answer.text()).toBe('event: study\ndata: {"study":1,"state":"completed"}\n\n');
  expect(reads).toBe(1);
});

test('an error within a stream says its status', async () => {
  const changed = new Changed();
  const routes = eventRoutes({
    changed,
    streams: new Streams(limits),
    stopping: new AbortController().signal,
    ...stillThere,
    logger: silentLogger,
  });
  let reads = 0;
  const studies = (): object[] => {
    if (++reads > 1) throw new DatabaseUnreachable('the database is away', { hint: 'Wait.' });
    return [{ study: 1, state: 'running' }];
  };
  const url = await start(routes, studies, async (role) => role);
  const answer = await fetch(`${url}/v1/studies/1/events`);
  changed.notify('1');
  const text = await answer.text();
  const [, data = ''] = /^event: error\ndata: (.*)$/m.exec(text) ?? [];
  expect(JSON.parse(data)).toEqual({ status: 503, code: '08006', message: 'the database is away', hint: 'Wait.' });
});

test('a stream ends when its role may no longer sign in', async () => {
  const changed = new Changed();
  const asked: unknown[] = [];
  const signIns = {
    async of(header: string | undefined, address: string): Promise<SignedIn> {
      asked.push(header, address);
      throw new AuthenticationFailed('role or password is wrong', { hint: 'Sign in again.' });
    },
  };
  const options = { streams: new Streams(limits), stopping: new AbortController().signal, logger: silentLogger };
  const routes = eventRoutes({ changed, ...options, signIns, recheckMs: 0 });
  let reads = 0;
  const url = await start(
    routes,
    () => [{ study: 1, state: `running ${++reads}` }],
    async (role) => role,
  );
  const answer = await fetch(`${url}/v1/studies/1/events`, { headers: { authorization: 'Basic x' } });
  const text = await answer.text();
  expect(text).toContain('event: error\ndata: {"status":401,"code":"28P01"');
  expect([reads, asked]).toEqual([1, ['Basic x', '127.0.0.1']]);
}, 60_000);

test('a stream whose client has left reads no more', async () => {
  let reads = 0;
  const changed = new Changed();
  const streams = new Streams({ streams: 1, streamsOfRole: 1 });
  const routes = eventRoutes({
    changed,
    streams,
    stopping: new AbortController().signal,
    ...stillThere,
    logger: silentLogger,
  });
  const url = await start(
    routes,
    () => [{ study: 1, state: `running ${++reads}` }],
    async (role) => role,
  );
  const client = new AbortController();
  const answer = await fetch(`${url}/v1/studies/1/events`, { signal: client.signal });
  client.abort();
  await expect(answer.text()).rejects.toThrow();
  const hasPlace = (): boolean => {
    try {
      streams.enter('ann');
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(hasPlace).toBe(true);
  expect(reads).toBe(1);
});
