import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Advisor } from '../../../src/advisors/advisor.ts';
import { random } from '../../../src/advisors/random.ts';
import {
  type Action,
  MAX_PAUSE_MS,
  OVERTIME_MS,
  planStudy,
  QUEUE_MS,
  STORING_MS,
} from '../../../src/coordinator/plan.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import type { TrialState } from '../../../src/domain/state.ts';
import { failed, kinds, plan, scored, search } from './planned.ts';
import { newStudy, newTrial } from './study-rows.ts';

const study = newStudy;
const trial = newTrial;

describe('the next actions of a study', () => {
  test('start it, unless it was cancelled before', () => {
    expect(kinds(plan([], { state: 'queued' }))).toEqual(['start']);
    expect(kinds(plan([], { state: 'queued', cancelRequested: true }))).toEqual(['cancel']);
  });

  test('keep one trial waiting for each idle worker, and one when none is idle', () => {
    expect(plan([], {}, 3)).toMatchObject(
      [1, 2, 3].map((number) => ({ kind: 'propose', trial: { studyId: 1, number } })),
    );
    expect(kinds(plan([trial('running')], {}, 0))).toEqual(['propose']);
    expect(plan([trial('waiting')], {}, 0)).toEqual([]);
  });

  test('are trials of a slow family only until it has had its share of the time, unless it is the best', () => {
    const took = (seconds: number, slow: number): TrialRow[] =>
      ['fasttext', 'temporal_cnn', 'char_rnn'].map((family, i) => ({
        ...scored(family === 'char_rnn' ? slow : 0.8),
        ...{ id: i + 1, number: i + 1, family, seconds: family === 'char_rnn' ? seconds : 5 },
      }));
    const all = new Set(['fasttext', 'temporal_cnn', 'char_rnn']);
    const tried = search.families.filter(({ name }) => all.has(name));
    const proposed = (trials: TrialRow[]): Set<string> =>
      new Set(
        Array.from({ length: 40 }, (_, seed) =>
          planStudy(
            {
              study: study({ maxTimeMs: 600_000 }),
              trials,
              search: { ...search, families: tried, seed },
              isSlow: false,
              idleWorkers: 1,
            },
            random,
          ).flatMap((action) => (action.kind === 'propose' ? action.trial.family : [])),
        ).flat(),
      );
    expect(proposed(took(40, 0.7))).toEqual(new Set(['fasttext', 'temporal_cnn']));
    expect(proposed(took(40, 0.9))).toContain('char_rnn');
    expect(proposed(took(5, 0.7))).toEqual(all);
  });

  test('are no further trial if its family takes longer than what is left', () => {
    const took = (seconds: number): TrialRow[] =>
      ['fasttext', 'temporal_cnn', 'char_rnn'].map((family, i) => ({
        ...scored(),
        id: i + 1,
        number: i + 1,
        family,
        seconds,
      }));
    expect(kinds(plan(took(100)))).toEqual(['propose']); // 59 s are left
    expect(kinds(plan(took(120)))).toEqual(['conclude']);
  });

  describe('of a study whose trials take long', () => {
    const slow = (trials: TrialRow[], idleWorkers: number, changes: Partial<Study> = {}): Action[] =>
      planStudy(
        { study: study({ maxTimeMs: 601_000, ...changes }), trials, search, isSlow: true, idleWorkers },
        random,
      );
    const measured = (fullSeconds: number): TrialRow => trial('running', { fullSeconds });

    test('start with one trial, and wait until it is measured', () => {
      expect(kinds(slow([], 4))).toEqual(['propose']);
      expect(slow([trial('waiting')], 4)).toEqual([]);
      expect(slow([trial('running')], 3)).toEqual([]);
    });

    test('are no other trial if there is time for one only, which all workers train', () => {
      expect(slow([measured(2000)], 3)).toEqual([]); // 600 s of 4 workers, at 85 %: 2,040 s
      expect(slow([measured(1000)], 3)).toHaveLength(1); // two
    });

    test('are as many trials as there are workers, and one that waits, if there is time enough', () => {
      expect(slow([measured(10)], 3)).toHaveLength(3);
      expect(slow([measured(0)], 3)).toHaveLength(1); // quick on all data: the next one is measured
    });

    test('go on with another trial when the first has failed before it was measured', () => {
      expect(kinds(slow([failed('58030')], 4))).toEqual(['propose']);
    });
  });

  describe('of a study with a number of workers per trial', () => {
    test.each([
      [4, 3, 0],
      [2, 3, 1],
      [1, 3, 3],
      [9, 0, 0],
    ])('%i: propose, next to a running one and with %i idle workers, %i', (workersPerTrial, idle, proposed) => {
      expect(plan([trial('running')], { workersPerTrial, maxTrials: 9 }, idle)).toHaveLength(proposed);
    });
  });

  test('never exceed max_trials', () => {
    expect(kinds(plan([scored(), scored(), scored()], {}, 9))).toEqual(['propose']);
    expect(plan([scored(), scored(), scored(), trial('running')], {}, 9)).toEqual([]);
    expect(kinds(plan([scored(), scored(), scored(), scored()]))).toEqual(['conclude']);
  });

  test('conclude when the advisor has nothing left to try', () => {
    const view = { study: study(), trials: [scored()], search, isSlow: false, idleWorkers: 1 };
    expect(kinds(planStudy(view, { ...random, propose: () => null }))).toEqual(['conclude']);
  });

  test('stop a trial whose score has stagnated, once', () => {
    const stale = { scores: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], epoch: 6, score: 0.5 };
    expect(kinds(plan([trial('running', stale), trial('waiting')]))).toEqual(['stop-trial']);
    expect(plan([trial('running', { ...stale, stopRequested: true }), trial('waiting')])).toEqual([]);
  });

  test('leave one of a family that ends by itself', () => {
    const stale = { scores: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], epoch: 6, score: 0.5 };
    expect(plan([trial('running', { ...stale, family: 'gradient_boosting' }), trial('waiting')])).toEqual([]);
  });

  test('close it when its time is over: what runs ends with its next report', () => {
    const late = { elapsedMs: 60_000 };
    expect(kinds(plan([trial('waiting'), trial('running', { epoch: 2, score: 0.7 })], late))).toEqual([
      'cancel-trial',
      'stop-trial',
    ]);
    expect(plan([trial('running', { epoch: 2, stopRequested: true })], late)).toEqual([]);
    expect(kinds(plan([scored(), trial('running')], late))).toEqual(['cancel-trial']);
    expect(kinds(plan([scored()], late))).toEqual(['conclude']);
  });

  test('let the next worker end a trial that has left its worker after an epoch, if it is the best', () => {
    const left = trial('waiting', { epoch: 20, score: 0.8 });
    for (const over of [{ elapsedMs: 60_000 }, { finishRequested: true }]) {
      expect(plan([left], over)).toMatchObject([{ kind: 'stop-trial', trial: { epoch: 20 } }]);
      expect(plan([{ ...left, stopRequested: true }], over)).toEqual([]);
      expect(kinds(plan([left, left], over))).toEqual(['stop-trial', 'stop-trial']);
      expect(kinds(plan([left, scored(0.8)], over))).toEqual(['cancel-trial']);
      expect(kinds(plan([left, scored(0.7)], over))).toEqual(['stop-trial']);
      expect(kinds(plan([left, scored(0.7)], over, 0))).toEqual(['cancel-trial']); // there is no worker
    }
    expect(kinds(plan([left], { elapsedMs: 60_000 + OVERTIME_MS }))).toEqual(['stop-trial']); // nobody was there to see it before
    expect(plan([left], { elapsedMs: 60_000, pausedMs: 1_000 })).toEqual([]); // nobody could take it
  });

  test('wait for a worker without using up its time, for a day', () => {
    expect(plan([trial('waiting')], { elapsedMs: 0, waitedMs: 10 * 60_000 })).toEqual([]);
    expect(kinds(plan([trial('waiting')], { elapsedMs: 0, waitedMs: QUEUE_MS }))).toEqual(['cancel-trial']);
    expect(plan([trial('cancelled')], { elapsedMs: 0, waitedMs: QUEUE_MS })).toMatchObject([
      { kind: 'fail', error: { sqlstate: '57014', message: 'no worker started a trial' } },
    ]);
  });

  test('cut off a trial that goes on long after the time, and after it was to stop', () => {
    const late = { elapsedMs: 60_000 + OVERTIME_MS };
    const stopping = (stoppingMs: number, changes: Partial<TrialRow> = {}): TrialRow =>
      trial('running', { stopRequested: true, stoppingMs, ...changes });
    expect(kinds(plan([stopping(OVERTIME_MS)], late))).toEqual(['cancel-trial']);
    expect(plan([stopping(OVERTIME_MS - 1)], late)).toEqual([]);
    expect(kinds(plan([trial('running')], late))).toEqual(['stop-trial']); // Postgres or the coordinator was away
    const storing = stopping(OVERTIME_MS, { epoch: 4, score: 0.8 });
    expect(plan([storing, scored(0.7)], late)).toEqual([]);
    expect(kinds(plan([storing, scored(0.8)], late))).toEqual(['cancel-trial']);
    expect(kinds(plan([{ ...storing, stoppingMs: STORING_MS }, scored(0.7)], late))).toEqual(['cancel-trial']);
  });

  test('fail it when no trial ended in time', () => {
    expect(plan([trial('cancelled')], { elapsedMs: 60_000 })).toMatchObject([
      { kind: 'fail', error: { sqlstate: '57014', detail: 'max_time is 60 s' } },
    ]);
  });

  test('close it when the target is reached', () => {
    expect(kinds(plan([scored(0.9), trial('running', { epoch: 1 }), trial('waiting')], { targetScore: 0.9 }))).toEqual([
      'stop-trial',
      'cancel-trial',
    ]);
    expect(kinds(plan([scored(0.89)], { targetScore: 0.9 }))).toEqual(['propose']);
    expect(kinds(plan([trial('running', { epoch: 1, score: 0.9 })], { targetScore: 0.9 }))).toEqual(['stop-trial']);
    for (const state of ['failed', 'cancelled'] as const)
      expect(kinds(plan([trial(state, { score: 0.95 })], { targetScore: 0.9 }))).toEqual(['propose']);
  });

  test('begin trials of a collaborative study from published weights, but for the share α', () => {
    const starts = (changes: Partial<Study>, trials: TrialRow[] = []): unknown[] =>
      plan(trials, { maxTrials: 40, collaborative: true, ...changes }, 30).map((action) =>
        action.kind === 'propose' ? action.trial.initialWeights : null,
      );
    expect(new Set(starts({ alphaFirst: 0, alphaLast: 0 }))).toEqual(new Set(['open']));
    expect(new Set(starts({ alphaFirst: 1, alphaLast: 1 }))).toEqual(new Set(['random']));
    expect(new Set(starts({ alphaFirst: 0, alphaLast: 0, collaborative: false }))).toEqual(new Set(['random']));
    const mostlyRandom = starts({}).slice(0, 8);
    const late = starts({ elapsedMs: 50_000 });
    expect(mostlyRandom.filter((start) => start === 'random').length).toBeGreaterThan(5);
    expect(late.filter((start) => start === 'open').length).toBeGreaterThan(20);
  });

  test('tell the advisor what every trial started from, and begin one at random where it would rather', () => {
    const seen: unknown[] = [];
    const wary: Advisor = {
      ...random,
      propose(from, history, start) {
        seen.push({ start, parents: history.map(({ parent }) => parent) });
        return { ...random.propose(from, history)!, ...(history.length === 4 ? { initialWeights: 'random' } : {}) };
      },
    };
    const trials = [
      trial('running', { initialWeights: 'chosen', warmShare: 0, parent: null }),
      trial('running', { number: 2, initialWeights: 'chosen', warmShare: 0.9, parent: 1 }),
      trial('waiting', { number: 3, initialWeights: 'open' }),
    ];
    const collaborative = study({ maxTrials: 40, collaborative: true, alphaFirst: 0, alphaLast: 0 });
    const actions = planStudy({ study: collaborative, trials, search, isSlow: false, idleWorkers: 3 }, wary);
    expect(seen).toEqual([
      { start: 'open', parents: [undefined, 1, null] },
      { start: 'open', parents: [undefined, 1, null, null] },
    ]);
    expect(actions).toMatchObject([{ trial: { initialWeights: 'open' } }, { trial: { initialWeights: 'random' } }]);
  });

  test('count as tried what has begun: a trial that was cancelled before says nothing of its knobs', () => {
    const seen: number[] = [];
    const counting: Advisor = {
      ...random,
      propose(from, history) {
        seen.push(history.length);
        return random.propose(from, history);
      },
    };
    const trials = [scored(), trial('cancelled', { number: 2 }), trial('cancelled', { number: 3, scores: [0.5] })];
    const view = { study: study(), trials, search, isSlow: false, idleWorkers: 1 };
    expect(planStudy(view, counting)).toMatchObject([{ kind: 'propose', trial: { number: 4 } }]);
    expect(seen).toEqual([2]);
  });

  test('try a family beyond its share of the time where of the others all is tried', () => {
    const onlySlow: Advisor = {
      ...random,
      propose: ({ families }, history) =>
        families.some(({ name }) => name === 'char_rnn')
          ? { family: 'char_rnn', knobs: { hidden: history.length } }
          : null,
    };
    const trials = ['fasttext', 'temporal_cnn', 'char_rnn'].map((family, i) => ({
      ...scored(family === 'char_rnn' ? 0.7 : 0.8),
      ...{ id: i + 1, number: i + 1, family, seconds: family === 'char_rnn' ? 40 : 5 },
    }));
    const families = search.families.filter(({ name }) => trials.some(({ family }) => family === name));
    const view = { study: study({ maxTimeMs: 600_000 }), trials, search: { ...search, families } };
    expect(planStudy({ ...view, isSlow: false, idleWorkers: 1 }, onlySlow)).toMatchObject([
      { kind: 'propose', trial: { family: 'char_rnn' } },
    ]);
  });

  test('begin no further trial once more are not worth it, and say why; what runs goes on', () => {
    const equal = Array.from({ length: 30 }, (_, i) => ({
      ...scored(0.9 - 0.0001 * (i % 3)),
      id: i,
      number: i + 1,
      scores: [0.9 - 0.0001 * (i % 3)],
      knobs: { learning_rate: 1e-3 * (i + 1) },
    }));
    const flat = { maxTrials: 100, validationRows: 500, families: ['fasttext'] };
    const [action] = plan(equal, flat);
    expect(action).toMatchObject({
      kind: 'close',
      why: expect.stringMatching(/^Ended after 30 of 100 trials: .*rafiki.terminator/),
    });
    expect(kinds(plan(equal, { ...flat, terminator: false }))).toEqual(['propose']);
    expect(kinds(plan(equal, { ...flat, validationRows: null }))).toEqual(['propose']);
    expect(kinds(plan(equal.slice(0, 10), flat))).toEqual(['propose']);
    const closed = { ...flat, closed: 'enough' };
    expect(kinds(plan([...equal, trial('waiting'), trial('running')], closed))).toEqual(['cancel-trial']);
    expect(kinds(plan(equal, closed))).toEqual(['conclude']);
  });

  test('cancel it with its open trials', () => {
    expect(kinds(plan([scored(), trial('running'), trial('waiting')], { cancelRequested: true }))).toEqual([
      'cancel-trial',
      'cancel-trial',
      'cancel',
    ]);
  });

  test('wait for the deployment once the model is written, whatever else', () => {
    expect(kinds(plan([scored()], { version: 1, cancelRequested: true, elapsedMs: 1e9 }))).toEqual([
      'await-deployment',
    ]);
  });
});

test('a study always moves on: it ends, or a trial is open, or one is proposed', () => {
  const states = fc.constantFrom<TrialState>('waiting', 'running', 'completed', 'stopped', 'failed', 'cancelled');
  const trials = fc.array(
    fc.record({ state: states, score: fc.option(fc.double({ min: 0, max: 1, noNaN: true })), epoch: fc.nat(9) }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(trials, fc.nat(200_000), fc.nat(4), (drawn, elapsedMs, idle) => {
      const rows = drawn.map(({ state, score, epoch }, i) =>
        trial(state, { id: i, number: i + 1, score, epoch, hasParams: score !== null, validationHash: Buffer.of(1) }),
      );
      const actions = plan(rows, { elapsedMs }, idle);
      const open = rows.some(({ state }) => state === 'waiting' || state === 'running');
      expect(open || actions.length > 0).toBe(true);
      const ends = kinds(actions).filter((kind) => kind === 'conclude' || kind === 'fail' || kind === 'cancel');
      expect(ends.length).toBeLessThanOrEqual(1);
    }),
  );
});

describe('a study that is to finish', () => {
  const finish = { finishRequested: true };
  const kinds = (trials: TrialRow[], changes: Partial<Study> = {}): string[] =>
    plan(trials, { ...finish, ...changes }).map(({ kind }) => kind);

  test('stops what has a score, cancels what has none, and then makes its model', () => {
    const running = trial('running', { id: 1, epoch: 2, score: 0.7 });
    const begun = trial('running', { id: 2, number: 2 });
    const waiting = trial('waiting', { id: 3, number: 3 });
    expect(kinds([running, begun, waiting])).toEqual(['stop-trial', 'cancel-trial', 'cancel-trial']);
    expect(kinds([scored(), trial('cancelled', { id: 2, number: 2 })])).toEqual(['conclude']);
  });

  test('lets a trial go on to its first score where there is none', () => {
    expect(kinds([trial('running')])).toEqual(['stop-trial']);
  });

  test('fails where no trial has begun, and is cancelled where it has not begun itself', () => {
    expect(plan([trial('cancelled')], finish)).toMatchObject([{ kind: 'fail', error: { sqlstate: '55000' } }]);
    expect(kinds([], { state: 'queued' })).toEqual(['cancel']);
  });
});

describe('a study that is paused', () => {
  test('does nothing, neither before it has begun nor after its time', () => {
    expect(plan([], { state: 'queued', pausedMs: 0 })).toEqual([]);
    expect(plan([scored(), trial('waiting', { id: 2, number: 2 })], { pausedMs: 1 })).toEqual([]);
  });

  test('ends with what it has after so long, and at once where it is cancelled', () => {
    expect(kinds(plan([], { state: 'queued', pausedMs: MAX_PAUSE_MS }))).toEqual(['cancel']);
    expect(plan([scored()], { pausedMs: MAX_PAUSE_MS })).toEqual([{ kind: 'conclude' }]);
    expect(plan([scored()], { pausedMs: 1, cancelRequested: true })).toEqual([{ kind: 'cancel' }]);
  });
});
