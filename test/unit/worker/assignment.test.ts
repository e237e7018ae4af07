import { expect, test } from 'vitest';
import type { ClaimedTrial } from '../../../src/db/statements/claims.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { prepareAssignment } from '../../../src/worker/assignment.ts';
import type { TrialRunOptions } from '../../../src/worker/run-options.ts';

test("what has passed since the claim is no longer the study's time", async () => {
  const study = { id: 1, createdAt: '', task: 'sentiment', encoders: [], workersPerTrial: 1, secondsLeft: 100 };
  const trial = { trialId: 1, number: 1, family: 'fasttext', knobs: {}, checkpointId: null, incumbentId: null };
  const options = { cache: { file: async () => import.meta.filename }, sources: [], logger };
  const { time } = await prepareAssignment(
    { ...trial, attempt: 0, refit: null, study } as unknown as ClaimedTrial,
    options as unknown as TrialRunOptions,
    { claimedMs: systemClock.nowMs() - 60_000, signal: new AbortController().signal },
  );
  expect(time.studySeconds).toBeLessThanOrEqual(40);
});
