import { expect, test } from 'vitest';
import { random } from '../../../src/advisors/random.ts';
import { type Action, planStudy } from '../../../src/coordinator/plan.ts';
import { searchOf } from '../../../src/coordinator/search-of.ts';
import type { StudyView } from '../../../src/coordinator/study-view.ts';
import type { WorkerFamily } from '../../../src/db/statements/families.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { newStudy, newTrial } from './study-rows.ts';

/** Families that only some workers have. */
const own = (workers: number, changes: Partial<WorkerFamily> = {}): WorkerFamily => ({
  name: 'mine',
  title: 'my own',
  task: 'sentiment',
  minTrials: 0,
  needsEncoder: false,
  knobs: { width: { kind: 'categorical', list: [1, 2], initial: 1, group: 'architecture' } },
  workers,
  ...changes,
});

const view = (study: Study, ofWorkers: WorkerFamily[], trials: TrialRow[] = [], idleWorkers = 1): StudyView => ({
  ...{ study, trials, idleWorkers, ...searchOf(study, ofWorkers) },
});
const families = ({ search }: StudyView): string[] => search.families.map(({ name }) => name);
const proposed = (actions: Action[]): string[] =>
  actions.flatMap((action) => (action.kind === 'propose' ? [action.trial.family] : []));

test('a study that names no families has those of running workers after the others', () => {
  const study = newStudy({ maxTrials: 4 });
  expect(families(view(study, [own(1)])).at(-1)).toBe('mine');
  for (const absent of [
    own(0),
    own(1, { task: 'text_regression' }),
    own(1, { minTrials: 5 }),
    own(1, { needsEncoder: true }),
  ])
    expect(families(view(study, [absent]))).not.toContain('mine');
  expect(families(view({ ...study, families: ['mine'] }, [own(0, { minTrials: 5 })]))).toEqual(['mine']);
});

test('what is known of one from earlier studies is tried first', () => {
  const study = newStudy({ families: ['fasttext', 'mine'], experience: [{ family: 'mine', knobs: { width: 2 } }] });
  expect(searchOf(study, [own(1)]).search.families[0]).toMatchObject({ name: 'mine', initial: { width: 2 } });
});

test('as many trials of it are open as workers have it, so that others do not wait with them', () => {
  const study = newStudy({ families: ['fasttext', 'mine'], maxTrials: 20 });
  const running = newTrial('running', { family: 'mine' });
  for (let seed = 0; seed < 10; seed++) {
    const next = proposed(planStudy(view({ ...study, seed }, [own(2)], [running], 5), random));
    expect(next).toHaveLength(5);
    expect(next.filter((family) => family === 'mine').length).toBeLessThanOrEqual(1);
  }
});

test('without a worker a study that has no other family waits with one trial', () => {
  const study = newStudy({ families: ['mine'], maxTrials: 4 });
  expect(proposed(planStudy(view(study, [own(0)], [], 2), random))).toEqual(['mine']);
  const waiting = newTrial('waiting', { family: 'mine' });
  expect(planStudy(view(study, [own(0)], [waiting], 2), random)).toEqual([]);
});

test('a trial that waits for it is cancelled if its workers have gone and there are other families', () => {
  const study = newStudy({ families: ['fasttext', 'mine'], maxTrials: 10 });
  const waiting = newTrial('waiting', { family: 'mine' });
  const actions = planStudy(view(study, [own(0)], [waiting]), random);
  expect(actions).toContainEqual({ kind: 'cancel-trial', trial: waiting });
  expect(planStudy(view(study, [own(1)], [waiting]), random)).toEqual([]);
});

test('in a study that starts from a model the first trial does, whether it is collaborative or not', () => {
  const study = newStudy({ families: ['fasttext'], startsFromModel: true, maxTrials: 10 });
  const actions = planStudy(view(study, [], [], 3), random);
  const starts = actions.flatMap((action) => (action.kind === 'propose' ? [action.trial.initialWeights] : []));
  expect(starts).toEqual(['open', 'random', 'random']);
});
