import { afterEach, expect, test, vi } from 'vitest';
import { type BridgeRow, BridgeSessionClient } from '../../../src/db/bridge-login.ts';
import type { Database } from '../../../src/db/database.ts';
import { BridgePool } from '../../../src/http/predict/bridge-pool.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

afterEach(() => void vi.restoreAllMocks());

test('a client that leaves while a session is opened for it is not computed for', async () => {
  const asked: string[] = [];
  const session = {
    isLost: false,
    async ask(request: string): Promise<BridgeRow> {
      asked.push(request);
      return ['k', 'pos', null];
    },
    destroy: () => undefined,
    close: async () => undefined,
  } as unknown as BridgeSessionClient;
  let opened = (_: BridgeSessionClient): void => undefined;
  const open = vi.spyOn(BridgeSessionClient, 'open').mockReturnValue(
    new Promise((resolve) => {
      opened = resolve;
    }),
  );
  const query = async () => [{ secret: 's', options: ['host=127.0.0.1', 'port=1'] }];
  const pool = new BridgePool({ database: { query } as unknown as Database, logger: silentLogger });
  await pool.start();
  const client = new AbortController();
  const leaving = pool.ask('P first', client.signal);
  await vi.waitFor(() => expect(open).toHaveBeenCalledOnce());
  client.abort();
  opened(session);
  await expect(leaving).rejects.toMatchObject({ sqlstate: '57014' });
  expect(await pool.ask('P second', new AbortController().signal)).toBe('pos');
  expect([asked, open.mock.calls.length]).toEqual([['P second'], 1]);
  await pool.stop();
});
