import { describe, expect, test } from 'vitest';
import { random } from '../../../src/advisors/random.ts';
import { type Action, planStudy } from '../../../src/coordinator/plan.ts';
import { missingRefits, refitReserve } from '../../../src/coordinator/refits.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { newStudy, newTrial } from './study-rows.ts';

const refitting = (changes: Partial<Study> = {}): Study =>
  newStudy({ refit: true, maxTimeMs: 600_000, elapsedMs: 100_000, ...changes });
/** Its best of ten epochs was the fifth; each took two seconds. */
const scored = (changes: Partial<TrialRow> = {}): TrialRow =>
  newTrial('completed', {
    ...{ score: 0.8, hasParams: true, validationHash: Buffer.of(1), seconds: 20, epoch: 10, epochs: 10 },
    ...{ scores: [0.1, 0.2, 0.3, 0.4, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], knobs: { epochs: 30 }, seed: 7, ...changes },
  });

describe('the members of a model', () => {
  test('are trained again, best first, with the schedule that they had', () => {
    const trials = [
      scored({ id: 1, number: 1 }),
      scored({ id: 2, number: 2, score: 0.9 }),
      scored({ id: 3, number: 3 }),
    ];
    const again = { knobs: { epochs: 10 }, seed: 7, initialWeights: 'random' };
    expect(missingRefits(refitting(), trials, [2, 1])).toEqual([
      expect.objectContaining({ number: 4, refits: 2, ...again }),
      expect.objectContaining({ number: 5, refits: 1, ...again }),
    ]);
  });

  test('need the time of their best epoch: the last of equal ones, or the first if they end by themselves', () => {
    const equal = { scores: [0.1, 0.8, 0.8, 0.8, 0.8], seconds: 100, epoch: 5 };
    const reserve = (family: string): number => refitReserve(refitting(), [scored({ ...equal, family })]);
    expect(reserve('fasttext') - reserve('gradient_boosting')).toBeCloseTo(1.4 * 3 * 20, 6);
  });

  test('continue from their weights, with what time is left, if they took most of it', () => {
    const [refit] = missingRefits(refitting(), [scored({ id: 9, rung: 2 })], [9]);
    expect(refit).toMatchObject({ refits: 9, rung: { number: 3, size: 1, plannedSeconds: null, continues: 9 } });
    expect(refit?.knobs).toEqual({ epochs: 30 });
  });

  test('continue only if they were not cut off, and the best one only: it has all cores', () => {
    const trials = [scored({ id: 1, rung: 2 }), scored({ id: 2, rung: 1 })];
    expect(missingRefits(refitting(), trials, [1, 2]).map(({ refits }) => refits)).toEqual([1]);
    expect(missingRefits(refitting(), [scored({ rung: 2, state: 'stopped' })], [1])).toEqual([]);
  });

  test('stay as they are if several workers trained them: nobody joins a refit', () => {
    expect(missingRefits(refitting({ workersPerTrial: 2 }), [scored()], [1])).toEqual([]);
    expect(refitReserve(refitting({ workersPerTrial: 2 }), [scored()])).toBe(0);
  });

  test('are trained again once, whatever becomes of it, and together with their variants', () => {
    expect(missingRefits(refitting(), [scored()], [1, 1])).toHaveLength(1);
    const trials = [scored({ id: 1 }), newTrial('failed', { id: 2, number: 2, refits: 1 })];
    expect(missingRefits(refitting(), trials, [1])).toEqual([]);
  });

  test('stay as they are without time, at an early end, and if the owner chose the validation rows', () => {
    const refits = (changes: Partial<Study>) => missingRefits(refitting(changes), [scored()], [1]);
    expect(refits({ elapsedMs: 585_000 })).toHaveLength(1);
    expect(refits({ elapsedMs: 587_000 })).toEqual([]); // it needs 14 seconds
    expect(refits({ finishRequested: true })).toEqual([]);
    expect(refits({ refit: false })).toEqual([]);
  });
});

describe('time for it', () => {
  test('is reserved as the best trial needs it, if that is a quarter of the time at most', () => {
    expect(refitReserve(refitting(), [scored()])).toBeCloseTo(14 + 2); // and until it starts
    const quick = scored({ family: 'encoder', fullSeconds: 0 });
    const network = newTrial('running', { id: 2, number: 2, rung: 1, rungSize: 1, fullSeconds: 400 });
    expect(refitReserve(refitting(), [quick, network])).toBe(0); // its plan leaves the time
    expect(refitReserve(refitting(), [quick, { ...network, state: 'failed' }])).toBeGreaterThan(0);
    const other = newTrial('running', { id: 2, number: 2, seconds: 30, epoch: 10 });
    expect(refitReserve(refitting(), [scored(), other])).toBeCloseTo(14 + 2); // it ends within its epoch
    expect(refitReserve(refitting(), [scored({ seconds: 400 })])).toBe(0);
    expect(refitReserve(refitting(), [scored({ rung: 1 })])).toBe(0);
    expect(refitReserve(refitting(), [])).toBe(0);
    expect(refitReserve(refitting({ refit: false }), [scored()])).toBe(0);
  });
});

describe('the plan of a study', () => {
  const families = familiesFor('sentiment').map(({ name, space }) => ({ name, space: space('sentiment') }));
  const plan = (trials: TrialRow[], changes: Partial<Study> = {}): Action[] =>
    planStudy(
      {
        study: refitting({ maxTrials: 9, ...changes }),
        trials,
        search: { families, overrides: {}, seed: 1 },
        ...{ isSlow: false, idleWorkers: 0 },
      },
      random,
    );
  const running = newTrial('running', { id: 2, number: 2, epoch: 1 });
  const refit = newTrial('running', { id: 3, number: 3, refits: 1 });

  test('ends the last trials when only the time for it is left', () => {
    expect(plan([scored(), running], { elapsedMs: 560_000 })).toMatchObject([{ kind: 'propose' }]);
    expect(plan([scored(), running], { elapsedMs: 586_500 })).toMatchObject([{ kind: 'stop-trial', trial: { id: 2 } }]);
  });

  test('starts no other trial meanwhile, and concludes when it has ended', () => {
    expect(plan([scored(), refit])).toEqual([]);
    expect(plan([scored(), refit], { pausedMs: 1 })).toEqual([]);
    expect(plan([scored(), { ...refit, state: 'completed' }])).toEqual([{ kind: 'conclude' }]);
    expect(plan([scored(), { ...refit, state: 'failed' }])).toEqual([{ kind: 'conclude' }]);
  });

  test.each([{ elapsedMs: 600_000 }, { finishRequested: true }])('gives it up with %o', (changes) => {
    expect(plan([scored(), refit], changes)).toMatchObject([{ kind: 'cancel-trial', trial: { id: 3 } }]);
  });
});
