import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ClaimedTrial } from '../../../src/db/statements/claims.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import type { TrialRunOptions } from '../../../src/worker/run-options.ts';
import { TrialRun } from '../../../src/worker/trial-run.ts';

test('a trial that is released while it begins leaves no folder', async () => {
  let create = (): void => undefined;
  const log: string[] = [];
  const roundFolders = {
    create: () =>
      new Promise<string>((resolve) => {
        create = () => {
          log.push('create');
          resolve('folder');
        };
      }),
    remove: async () => void log.push('remove'),
  };
  const unreachable = async () => Promise.reject(new Error('no database'));
  const run = new TrialRun(
    { trialId: 1, attempt: 0, study: { id: 1, createdAt: '' } } as ClaimedTrial,
    {
      roundFolders,
      logger,
      database: { query: unreachable },
      cache: { file: unreachable },
    } as unknown as TrialRunOptions,
  );
  const ended = run.run();
  run.release();
  await turn();
  create();
  await ended;
  expect(log).toEqual(['create', 'remove']);
});
