import { expect, test } from 'vitest';
import type { Advisor } from '../../../src/advisors/advisor.ts';
import { advisorByName } from '../../../src/advisors/registry.ts';
import { proposals } from '../../../src/coordinator/proposals.ts';
import { searchOf } from '../../../src/coordinator/search-of.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { newStudy, newTrial } from './study-rows.ts';

const tuned = newTrial('running', { family: 'encoder_tuned' });
const score = { score: 0.9, hasParams: true, validationHash: Buffer.of(1), seconds: 100 };

/** The families of which the advisor may propose another trial of a study with an encoder. */
function proposable(trials: readonly TrialRow[], changes: Partial<Study> = {}): readonly string[] {
  const given = { maxTrials: 20, maxTimeMs: 240_000, encoders: [{ name: 'e', trainable: true }], ...changes };
  const study = newStudy(given);
  let seen: readonly string[] = [];
  const advisor: Advisor = {
    ...{ name: 'none', title: 'proposes nothing' },
    propose: ({ families }) => {
      seen = families.map(({ name }) => name);
      return null;
    },
    decide: () => 'continue',
  };
  proposals({ study, trials, ...searchOf(study, []), isSlow: false, idleWorkers: 1 }, advisor);
  return seen;
}

test('so it is among trials that are proposed at once', () => {
  const encoders = ['one', 'two'].map((name) => ({ name, trainable: true }));
  const study = newStudy({ maxTrials: 20, maxTimeMs: 240_000, encoders });
  const proposed = proposals(
    { study, trials: [], ...searchOf(study, []), isSlow: false, idleWorkers: 8 },
    advisorByName('tpe'),
  );
  const families = (proposed as { family: string }[]).map(({ family }) => family);
  expect(families).toHaveLength(8);
  expect(families.filter((family) => family === 'encoder_tuned')).toHaveLength(1);
});

test('a family that needs much time has a score before its second trial begins', () => {
  expect(proposable([])).toContain('encoder_tuned');
  expect(proposable([tuned])).not.toContain('encoder_tuned');
  expect(proposable([tuned])).toContain('linear_text');
  expect(proposable([{ ...tuned, ...score, state: 'completed' }])).toContain('encoder_tuned');
  expect(proposable([{ ...tuned, state: 'failed' }])).toContain('encoder_tuned');
  expect(proposable([tuned], { families: ['encoder_tuned'] })).toContain('encoder_tuned');
});
