import { EventEmitter } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { addRoutes, createApp } from '../../../src/http/app.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { defaultHttpLimits, type HttpLimits } from '../../../src/http/limits.ts';
import { route } from '../../../src/http/route.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { UnreadAnswers } from '../../../src/http/unread-answers.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** More than a system takes for a socket that nobody reads. */
const LONG = 64 * 2 ** 20;

let app: FastifyInstance | undefined;
let client: Socket | undefined;
afterEach(async () => {
  client?.destroy();
  app?.server.closeAllConnections();
  await app?.close();
  app = undefined;
});

async function start(limits: Partial<HttpLimits>): Promise<number> {
  app = createApp({
    ...{ tls: undefined, corsOrigins: [], logger: silentLogger },
    limits: { ...defaultHttpLimits, ...limits },
  });
  const statements = new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 });
  const sessions = { call: async () => [], stop: async () => undefined };
  const file = route({
    ...{ method: 'GET', path: '/file', tag: 'test', summary: 'A long answer' },
    handle({ reply }) {
      void reply.type('application/octet-stream').send(Buffer.alloc(LONG));
      return undefined;
    },
  });
  addRoutes(app, [file], {
    of: (role = '') => new SignedIn({ role, servedAs: role, api: 'public', sessions, statements }),
  });
  app.get('/open', (_, reply) => reply.send('x'.repeat(100_000)));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
}

const connections = (): Promise<number> =>
  new Promise((resolve) => app?.server.getConnections((_, count) => resolve(count)));

const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ann\r\n\r\n`;

test.each([
  ['a long answer', ask('/file')],
  ['without a role, many answers', ask('/open').repeat(2_000)],
])(
  'a client that does not read is disconnected: %s',
  async (_, sent) => {
    const port = await start({ unreadMs: 500 });
    let connected = 0;
    app?.server.on('connection', () => connected++);
    client = connect(port, '127.0.0.1').pause();
    client.on('error', () => undefined);
    client.write(sent);
    await expect.poll(() => connected, { timeout: 60_000 }).toBe(1);
    await expect.poll(connections, { timeout: 60_000 }).toBe(0);
  },
  130_000,
);

test('long answers of a role that are not read are bounded, and others have room', async () => {
  const port = await start({ answerBytes: 3 * LONG, unreadMs: 3_600_000 });
  const url = `http://127.0.0.1:${port}/file`;
  const get = (role: string) => fetch(url, { headers: { authorization: role } });
  const first = await get('ann'); // alone it may be as long as any
  expect(first.status).toBe(200);
  const refused = await get('ann');
  expect([refused.status, await refused.json()]).toMatchObject([429, { error: { code: '53400' } }]);
  const ofBob = await get('bob');
  expect(ofBob.status).toBe(200);
  expect((await first.arrayBuffer()).byteLength).toBe(LONG);
  await expect.poll(async () => (await get('ann')).status, { timeout: 60_000 }).toBe(200); // its room is free again
  await ofBob.body?.cancel();
}, 120_000);

class FakeSocket extends EventEmitter {
  readonly _handle = { bytesWritten: 100_000, writeQueueSize: 100_000 };
  isClosed = false;

  resetAndDestroy(): void {
    this.isClosed = true;
    this.emit('close');
  }
}

test('one that reads slowly stays, and one that reads nearly nothing does not', () => {
  const clock = new ManualClock();
  const unread = new UnreadAnswers({ unreadMs: 30_000, readBytes: 1_000 }, clock);
  const [slow, idle, stuck] = [new FakeSocket(), new FakeSocket(), new FakeSocket()];
  idle._handle.writeQueueSize = 0;
  for (const socket of [slow, idle, stuck]) unread.watch(socket as unknown as Socket);
  for (let i = 0; i <= 6; i++) {
    unread.check();
    expect([slow.isClosed, idle.isClosed, stuck.isClosed]).toEqual([false, false, i === 6]);
    clock.advance(5_000);
    slow._handle.writeQueueSize -= 500;
    stuck._handle.writeQueueSize -= 1;
  }
  slow._handle.writeQueueSize = 0; // read
  unread.check();
  clock.advance(60_000);
  slow._handle.writeQueueSize = 10;
  unread.check();
  expect(slow.isClosed).toBe(false);
});
