import { expect, test } from 'vitest';
import { describePlan } from '../../../src/coordinator/describe-plan.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { newStudy, newTrial } from './study-rows.ts';

const families = familiesFor('image_classification').map(({ name, space }) => ({
  name,
  space: space('image_classification'),
}));
const search = { families, overrides: {}, seed: 1 };
const study = newStudy({ maxTimeMs: 600_000, maxTrials: 16 });
const plan = (...trials: TrialRow[]): string | null =>
  describePlan({ study, trials, search, isSlow: true, idleWorkers: 1 });
const candidate = (changes: Partial<TrialRow> = {}): TrialRow =>
  newTrial('running', { family: 'resnet', rung: 1, fullSeconds: 300, ...changes });

test('a plan shows what a study does with its time', () => {
  expect(plan()).toBe('measures its first trial');
  expect(plan(candidate({ fullSeconds: null }))).toBe('measures its first trial');
  const quick = candidate({ family: 'encoder', rung: null, fullSeconds: 0 });
  expect(plan(quick)).toBe('measures its first trial');
  expect(plan(quick, candidate())).toBe('resnet alone, with all cores, until max_time');
  expect(plan(candidate())).toBe('resnet alone, with all cores, until max_time');
  expect(plan(candidate({ plannedSeconds: 99.7, rungSize: 3 }))).toBe(
    '3 candidates for 100 s each, then the best until max_time',
  );
  const last = candidate({ rung: 2, fullSeconds: null });
  expect(plan(candidate({ plannedSeconds: 99.7, rungSize: 3 }), last)).toBe(
    'resnet alone, with all cores, until max_time',
  );
  expect(plan(candidate({ rung: null, fullSeconds: 10 }))).toBe('trains each trial to its end: time for about 16');
});

test('at the end it shows the training on all rows', () => {
  expect(plan(candidate(), newTrial('running', { refits: 1 }))).toBe('trains its best models on all rows');
});

test('a study with quick trials, or with a number of workers, has none', () => {
  expect(describePlan({ study, trials: [], search, isSlow: false, idleWorkers: 1 })).toBeNull();
  const several = { ...study, workersPerTrial: 2 };
  expect(describePlan({ study: several, trials: [], search, isSlow: true, idleWorkers: 1 })).toBeNull();
});
