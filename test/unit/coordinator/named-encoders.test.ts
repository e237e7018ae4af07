import { expect, test } from 'vitest';
import { searchOf } from '../../../src/coordinator/search-of.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import { newStudy } from './study-rows.ts';

const encoders = [
  { name: 'fixed', trainable: false },
  { name: 'trainable', trainable: true },
];
const families = (knobs: Study['knobs']): string[] =>
  searchOf(newStudy({ maxTrials: 20, encoders, knobs }), []).search.families.map(({ name }) => name);

test('a study trains encoders further by itself only if all that its owner names can be', () => {
  expect(families({})).toContain('encoder_tuned');
  expect(families({ encoder: 'trainable' })).toContain('encoder_tuned');
  for (const encoder of ['fixed', { list: ['trainable', 'fixed'] }]) {
    expect(families({ encoder })).not.toContain('encoder_tuned');
    expect(families({ encoder })).toContain('encoder');
  }
});
