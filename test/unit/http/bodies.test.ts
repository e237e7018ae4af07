import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addRoutes, createApp } from '../../../src/http/app.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';
import { type HttpRoute, route } from '../../../src/http/route.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const limits = { ...defaultHttpLimits, smallBytes: 1_000, bodyBytes: 400_000 };
let app: FastifyInstance;
let reads: () => number;
/** Of the server while no body arrives. */
let timers: number;
const clients: Socket[] = [];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  app = createApp({ tls: undefined, corsOrigins: [], limits, logger: silentLogger });
  app.server.on('connection', (socket) => {
    reads = () => socket.bytesRead;
  });
  const sessions = { call: async () => [], stop: async () => undefined };
  const statements = new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 });
  const signIns = {
    of: (role = '') => new SignedIn({ role, servedAs: role, api: 'public', sessions, statements }),
  };
  const echo: HttpRoute = route({
    method: 'POST',
    path: '/echo',
    tag: 'test',
    summary: 'How long a text is',
    body: Type.Object({ text: Type.String() }),
    answer: Type.Object({ chars: Type.Integer() }),
    handle: async ({ body: { text } }) => ({ chars: text.length }),
  });
  addRoutes(app, [echo], signIns);
  await app.listen({ host: '127.0.0.1', port: 0 });
  timers = vi.getTimerCount();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) client.destroy();
  await app.close();
});

/** Begins a request of ann's, whose body holds memory when this returns. */
async function begun(bytes: number): Promise<Socket> {
  const { port } = app.server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  clients.push(client);
  client.on('error', () => undefined);
  const head = ['POST /echo HTTP/1.1', 'host: x', 'authorization: ann', 'content-type: application/json'];
  client.write(`${[...head, `content-length: ${bytes}`].join('\r\n')}\r\n\r\n{`);
  await until(() => vi.getTimerCount() === timers + 1);
  return client;
}

/** As vi.waitFor, which would move the false clock on. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate();
}

const post = (role: string, payload: string, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url: '/echo',
    payload,
    headers: { authorization: role, 'content-type': 'application/json', ...headers },
  });

const text = (chars: number): string => JSON.stringify({ text: 'x'.repeat(chars) });

test('long bodies of one role take a quarter of the memory at most', { timeout: 60_000 }, async () => {
  await begun(99_000);
  expect((await post('ann', text(2_000))).statusCode).toBe(429);
  expect((await post('ann', text(500))).json()).toEqual({ chars: 500 });
  expect((await post('bob', text(99_000))).json()).toEqual({ chars: 99_000 });
});

test('one that hardly arrives is ended, and gives its memory back', { timeout: 60_000 }, async () => {
  const client = await begun(99_000);
  const answer = buffer(client);
  vi.advanceTimersByTime(10_000);
  expect(String(await answer)).toMatch(/^HTTP\/1.1 408 [\s\S]*57014/);
  await until(() => vi.getTimerCount() === timers);
  expect((await post('ann', text(99_000))).json()).toEqual({ chars: 99_000 });
});

test('one that arrives is read to its end', { timeout: 60_000 }, async () => {
  const whole = text(90_000);
  const client = await begun(whole.length);
  for (let at = 1; at < whole.length; at += 30_000) {
    const before = reads();
    const part = whole.slice(at, at + 30_000);
    client.write(part);
    await until(() => reads() >= before + part.length);
    vi.advanceTimersByTime(10_000);
  }
  const [answer] = (await new Promise<Buffer>((resolve) => client.once('data', resolve))).toString().split('\r\n');
  expect(answer).toBe('HTTP/1.1 200 OK');
});

test('one that is compressed is refused by the name of its encoding', async () => {
  const answer = await post('ann', text(1), { 'content-encoding': 'gzip' });
  expect([answer.statusCode, answer.json()]).toMatchObject([
    415,
    { error: { message: expect.stringMatching('gzip') } },
  ]);
  expect((await post('ann', text(1), { 'content-encoding': 'identity' })).statusCode).toBe(200);
});

test('one of unknown length is refused before it comes', async () => {
  const { port } = app.server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/echo`, {
    method: 'POST',
    headers: { authorization: 'ann', 'content-type': 'application/json' },
    body: new Blob([text(1)]).stream(),
    duplex: 'half',
  });
  expect([answer.status, await answer.json()]).toMatchObject([411, { error: { code: '0A000' } }]);
});
