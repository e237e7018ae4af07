import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../../../src/db/database.ts';
import type { DeploymentHead } from '../../../src/db/statements/serving/deployments.ts';
import { LimitReached, ShuttingDown } from '../../../src/errors/errors.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { DeployedModels } from '../../../src/serving/deployed-models.ts';
import type { ServedModel } from '../../../src/serving/served-model.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
});

const row = { id: 1, state: 'loading', modelId: 2, model: 'm', versionId: 3, foreignOwner: null } as DeploymentHead;
const PAUSE_MS = 1000;
const LOOKS = 10;

/** How often a model that cannot be opened is tried, and whether its deployment has failed in the end. */
async function triesOf(error: Error): Promise<{ tries: number; hasFailed: boolean }> {
  let tries = 0;
  let hasFailed = false;
  const open = async (): Promise<never> => {
    tries++;
    throw error;
  };
  const query = async (sql: string): Promise<object[]> => {
    if (sql.includes('update rafiki.deployment set state')) hasFailed = true;
    return [{ classes: ['no', 'yes'] }];
  };
  const models = new DeployedModels({
    ...{ database: { query } as Partial<Database> as Database, logger },
    ...{ onChange: () => undefined, refreshIn: () => undefined },
    serve: (of) => ({ row: of, open, release: async () => undefined }) as unknown as ServedModel,
  });
  for (let look = 0; look < LOOKS && !hasFailed; look++) {
    await models.follow(() => [row]);
    vi.advanceTimersByTime(PAUSE_MS);
  }
  return { tries, hasFailed };
}

test('a model whose load a stop ends does not fail: the next server loads it', async () => {
  expect(await triesOf(new ShuttingDown('the prediction server is stopping'))).toEqual({
    tries: LOOKS,
    hasFailed: false,
  });
});

test('a model that cannot be loaded fails; one for which there is no room yet waits', async () => {
  expect(await triesOf(new TypeError('unexpected'))).toEqual({ tries: 3, hasFailed: true });
  expect(await triesOf(new Error('Load model failed'))).toEqual({ tries: 3, hasFailed: true });
  expect(await triesOf(new LimitReached('too many'))).toEqual({ tries: LOOKS, hasFailed: false });
});

test('a model that cannot be loaded for its new owner is released, and the one of the old owner answers', async () => {
  const released: unknown[] = [];
  const query = async (): Promise<object[]> => [{ classes: ['no', 'yes'] }];
  const models = new DeployedModels({
    ...{ database: { query } as Partial<Database> as Database, logger },
    ...{ onChange: () => undefined, refreshIn: () => undefined },
    serve: (of) =>
      ({
        row: of,
        open: async () => {
          if (of.foreignOwner === 2) throw new TypeError('unexpected');
        },
        release: async () => void released.push(of.foreignOwner),
      }) as unknown as ServedModel,
  });
  for (const foreignOwner of [1, 2]) {
    await models.follow(() => [{ ...row, state: 'ready', foreignOwner }]);
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
  }
  expect(released).toEqual([2]);
  expect(models.answering(row.modelId)?.row.foreignOwner).toBe(1);
});

test('a model that a server cannot load because the schema is of another version is left to others', async () => {
  const error = Object.assign(new pg.DatabaseError('column "kinds" does not exist', 2, 'error'), { code: '42703' });
  expect(await triesOf(error)).toMatchObject({ hasFailed: false });
});
