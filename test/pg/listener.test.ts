import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Listener } from '../../src/db/listener.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';

/** Longer than from one try to connect to the next. */
const TRIES_MS = 2_000;

let database: TestDatabase;
let proxy: Server;
let refuses = false;
let tries = 0;
const sockets = new Set<Socket>();

beforeEach(async () => {
  database = await createTestDatabase();
  const { hostname, port } = new URL(database.url);
  [refuses, tries] = [false, 0];
  proxy = createServer((near) => {
    tries++;
    near.on('error', () => undefined);
    if (refuses) return void near.destroy();
    const far = connect(Number(port), hostname);
    far.on('error', () => near.destroy());
    for (const end of [near, far]) sockets.add(end.on('close', () => sockets.delete(end)));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  proxy.close();
  await database.drop();
});

function listener(): Listener {
  const url = new URL(database.url);
  const address = proxy.address();
  url.port = String(typeof address === 'object' ? address?.port : '');
  return new Listener({
    url: url.href,
    channels: ['rafiki_trial'],
    onNotify: () => undefined,
    onConnect: () => undefined,
    logger: silentLogger,
  });
}

/** Waits until no connection is attempted any more: one may be in progress. */
async function quiet(): Promise<true | undefined> {
  const before = tries;
  await sleep(TRIES_MS);
  return tries === before ? true : undefined;
}

test('a listener stopped while Postgres is unreachable no longer tries to connect', async () => {
  const listening = listener();
  await listening.start();
  refuses = true;
  for (const socket of sockets) socket.destroy();
  await eventually(async () => (tries > 2 ? true : undefined));
  await listening.stop();
  await eventually(quiet);
});

test('nor does one that could not start', async () => {
  refuses = true;
  await expect(listener().start()).rejects.toThrow();
  await eventually(quiet);
});
