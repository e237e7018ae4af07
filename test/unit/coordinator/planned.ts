import { random } from '../../../src/advisors/random.ts';
import { type Action, planStudy } from '../../../src/coordinator/plan.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { newStudy, newTrial } from './study-rows.ts';

export const scored = (score = 0.8): TrialRow =>
  newTrial('completed', { score, hasParams: true, validationHash: Buffer.of(1), epoch: 4 });
export const failed = (sqlstate: string, message = 'no'): TrialRow =>
  newTrial('failed', { error: { sqlstate, message } });

export const search = {
  families: familiesFor('sentiment').map(({ name, space }) => ({ name, space: space('sentiment') })),
  overrides: {},
  seed: 1,
};

/** What comes next in a study with these trials. */
export const plan = (trials: TrialRow[], changes: Partial<Study> = {}, idleWorkers = 1): Action[] =>
  planStudy({ study: newStudy(changes), trials, search, isSlow: false, idleWorkers }, random);

export const kinds = (actions: Action[]): string[] => actions.map(({ kind }) => kind);
