import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Bridge, createBridge } from '../../src/bridge/create-bridge.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { BridgeRecord } from '../../src/serving/bridge-record.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { bare, known } from '../support/wire-client.ts';

let database: TestDatabase;
let cacheDir: string;
let bridge: Bridge | undefined;

beforeEach(async () => {
  database = await createTestDatabase();
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-address-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await bridge?.stop();
  bridge = undefined;
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

async function start(on: Database, maxSessions?: number): Promise<Bridge> {
  bridge = createBridge({ database: on, port: 0, cacheDir, maxSessions, logger });
  await bridge.start();
  return bridge;
}

/** The name of a database that may move: Postgres then sees its clients at another address. */
async function movable(url: string): Promise<{ url: string; move(to: string): void; stop(): Promise<unknown> }> {
  const { hostname: host, port } = new URL(url);
  let localAddress = '127.0.0.1';
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const server = connect({ host, port: Number(port), localAddress });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((proxy.address() as AddressInfo).port);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: through.href,
    move(to) {
      localAddress = to;
      cut();
    },
    stop() {
      cut();
      return new Promise((resolve) => proxy.close(resolve));
    },
  };
}

const announced = (): Promise<{ host: string }[]> => database.db.query('select host from rafiki.bridge_address');

test('after the database has moved to another machine, its server listens where it is reached now', async () => {
  const [hba] = await database.db.query<{ hba_file: string }>('show hba_file');
  appendFileSync(hba!.hba_file, 'host all all 127.0.0.0/8 scram-sha-256\n');
  await database.db.query('select pg_reload_conf()');
  const place = await movable(database.service.url);
  const service = new Database({ url: place.url, application: 'test', logger });
  try {
    await start(service);
    expect(await announced()).toEqual([{ host: '127.0.0.1' }]);
    const before = bridge!.address();
    place.move('127.0.0.9');
    await expect.poll(announced).toEqual([{ host: '127.0.0.9' }]);
    expect(bridge!.address()).toMatchObject({ host: '127.0.0.9' });
    const [row] = await database.db.query<{ secret: string }>('select secret from rafiki.bridge');
    await (await known(bridge!.address(), row!.secret)).end();
    await expect
      .poll(() =>
        bare(before).then(
          () => 'open',
          ({ code }) => code,
        ),
      )
      .toBe('ECONNREFUSED');
    await database.db.query('select rafiki._open_bridge(false)');
  } finally {
    await bridge?.stop();
    await service.stop();
    await place.stop();
  }
});

test('a server that cannot say that it stops stops nevertheless', async () => {
  const place = (await start(database.service)).address();
  vi.spyOn(BridgeRecord.prototype, 'withdraw').mockRejectedValueOnce(new Error('no connection'));
  await expect(bridge!.stop()).rejects.toThrow('no connection');
  await expect(bare(place)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a session beyond the maximum of a server gets 53300, and what to do', async () => {
  await start(database.service, 1);
  const [first, second] = [await database.as('first'), await database.as('second')];
  await first.query('select rafiki._open_bridge(false)');
  expect(await failureOf(second, 'select rafiki._open_bridge(false)')).toMatchObject({
    code: '53300',
    message: 'the rafiki server has too many sessions',
    detail: expect.stringContaining('1 are open'),
    hint: expect.stringContaining('--bridge-sessions'),
  });
});
