import { expect, test } from 'vitest';
import { startAgain } from '../../../src/cli/up/start-again.ts';
import { EnvironmentUnfit } from '../../../src/errors/errors.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';

const full = new EnvironmentUnfit('PostgreSQL did not start', { detail: 'No space left on device' });

test('Postgres is started again until it runs, with pauses up to half a minute, and each try logs its reason', async () => {
  const pauses: number[] = [];
  const said: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => void said.push(fields) } as unknown as Logger;
  let tries = 0;
  const postgres = {
    async start() {
      if (++tries <= 200) throw full;
    },
  };
  const pause = async (ms: number): Promise<void> => void pauses.push(ms);
  await startAgain(postgres, { signal: new AbortController().signal, logger, pause });
  expect(tries).toBe(201);
  expect(pauses).toHaveLength(200);
  expect(pauses[0]).toBeLessThanOrEqual(500);
  expect(Math.min(...pauses.slice(10))).toBeGreaterThanOrEqual(15_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
  expect(said[199]).toMatchObject({ tries: 200, err: { detail: 'No space left on device' } });
  expect(said[200]).toEqual({ tries: 201 });
});

test('it is not started again once everything stops', async () => {
  const stopping = new AbortController();
  let tries = 0;
  const postgres = {
    async start() {
      tries++;
      throw full;
    },
  };
  const pause = async (): Promise<void> => stopping.abort();
  await startAgain(postgres, { signal: stopping.signal, logger: silentLogger, pause });
  expect(tries).toBe(1);
});
