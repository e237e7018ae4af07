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
    if (sql.includes('update rafiki.deployment')) hasFailed = true;
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
  expect(await triesOf(new LimitReached('too many'))).toEqual({ tries: LOOKS, hasFailed: false });
});
