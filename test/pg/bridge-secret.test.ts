import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Bridge, createBridge } from '../../src/bridge/create-bridge.ts';
import { rotateSecret } from '../../src/db/statements/serving/bridges.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';
import { known } from '../support/wire-client.ts';

let database: TestDatabase;
let bridge: Bridge;
let socketDir: string;

beforeEach(async () => {
  database = await createTestDatabase();
  socketDir = mkdtempSync(path.join(tmpdir(), 'rafiki-secret-'));
  bridge = createBridge({ database: database.service, port: 0, socketDir, logger: silentLogger });
  await bridge.start();
});
afterEach(async () => {
  await bridge.stop();
  await database.drop();
  rmSync(socketDir, { recursive: true });
});

const refusal = (password: string): Promise<string | undefined> =>
  known(bridge.address(), password).then(
    (client) => client.end().then(() => undefined),
    (error: { code?: string }) => error.code,
  );

test('after a change of the secret in the database, new connections need it, and open ones continue', async () => {
  const [row] = await database.db.query<{ secret: string }>('select secret from rafiki.bridge');
  const old = row?.secret ?? '';
  const open = await known(bridge.address(), old);
  const fresh = randomBytes(24).toString('hex');
  await rotateSecret(database.service, fresh);
  await eventually(async () => ((await refusal(fresh)) === undefined ? true : undefined));
  expect(await refusal(old)).toBe('28P01');
  const { rows } = await open.query('R\x1f7');
  expect(JSON.parse(rows[0]?.v)).toMatchObject({ sqlstate: '42704' });
  await open.end();
});
