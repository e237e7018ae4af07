import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Heartbeat, PROCESS_BEAT_MS } from '../../src/db/heartbeat.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let registered: number[];
let isRefused: boolean;
let heartbeat: Heartbeat;

beforeEach(async () => {
  database = await createTestDatabase();
  registered = [];
  isRefused = false;
  const onRegistered = async (id: number): Promise<void> => {
    registered.push(id);
    if (isRefused) throw new Error('the name is taken');
  };
  heartbeat = new Heartbeat({ database: database.service, kind: 'worker', onRegistered, logger });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await heartbeat.stop();
  await database.drop();
});

const processes = (): Promise<{ id: number }[]> => database.db.query('select id from rafiki.process');

test('a process that cannot be registered leaves no row', async () => {
  isRefused = true;
  await expect(heartbeat.start()).rejects.toThrow('the name is taken');
  expect(await processes()).toEqual([]);
});

test('nor does one that was considered dead, and cannot be registered again, with each beat', async () => {
  await heartbeat.start();
  await database.db.query('delete from rafiki.process');
  isRefused = true;
  for (let beat = 1; beat <= 3; beat++) {
    vi.advanceTimersByTime(PROCESS_BEAT_MS);
    await expect.poll(() => registered.length).toBe(1 + beat);
  }
  await heartbeat.stop();
  expect(await processes()).toEqual([]);
});

test('of several beats that miss the row at the same time, one registers', async () => {
  await heartbeat.start();
  await database.db.query('delete from rafiki.process');
  vi.advanceTimersByTime(3 * PROCESS_BEAT_MS);
  await expect.poll(() => registered.length).toBe(2);
  await expect.poll(processes).toEqual([{ id: registered[1] }]);
  expect(heartbeat.id).toBe(registered[1]);
  await heartbeat.stop();
  expect([registered.length, await processes()]).toEqual([2, []]);
});
