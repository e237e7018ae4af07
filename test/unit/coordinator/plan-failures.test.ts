import { describe, expect, test } from 'vitest';
import type { TrialRow } from '../../../src/db/statements/trials.ts';
import { MAX_FAILURES } from '../../../src/domain/study-limits.ts';
import { failed, kinds, plan, scored } from './planned.ts';
import { newTrial as trial } from './study-rows.ts';

describe('the next actions of a study with failed trials', () => {
  test('fail it at once when the data is at fault, and take along what is open', () => {
    expect(plan([failed('42501'), trial('running'), trial('waiting')])).toMatchObject([
      { kind: 'cancel-trial' },
      { kind: 'cancel-trial' },
      { kind: 'fail', error: { sqlstate: '42501' } },
    ]);
  });

  test.each(['08006', '53100', '58030'])('go on when a worker was at fault (%s)', (sqlstate) => {
    expect(kinds(plan([failed(sqlstate)]))).toEqual(['propose']);
  });

  test('try other knobs when one trial diverged, and give up after a few without a score', () => {
    const diverged = Array.from({ length: MAX_FAILURES }, () => failed('22003'));
    expect(kinds(plan(diverged.slice(1)))).toEqual(['propose']);
    expect(kinds(plan(diverged, { maxTrials: 9 }))).toEqual(['fail']);
    expect(kinds(plan([...diverged, scored()], { maxTrials: 9 }))).toEqual(['propose']);
  });

  describe('after a few failures in a row', () => {
    const broken = (worker: number): TrialRow[] =>
      Array.from({ length: MAX_FAILURES }, () => ({ ...failed('58000', 'out of memory'), worker }));
    const busy = (worker: number): TrialRow => trial('running', { worker });
    const many = { maxTrials: 9 };

    test('keep what it has, and say why it goes no further', () => {
      expect(plan([scored(), ...broken(1)], many)).toMatchObject([
        { kind: 'close', why: 'Ended after 4 of 9 trials: the last 3 failed; rafiki.trials has their errors.' },
      ]);
      expect(plan([scored(), ...broken(1), busy(1)], many)).toMatchObject([{ kind: 'close' }]);
      expect(kinds(plan([scored(), ...broken(1).slice(1)], many))).toEqual(['propose']);
      expect(kinds(plan([...broken(1), scored()], many))).toEqual(['propose']);
      const diverged = Array.from({ length: MAX_FAILURES }, () => failed('22003'));
      expect(kinds(plan([scored(), ...diverged], many))).toEqual(['propose']);
    });

    test('wait for a worker that has not failed, without using up trials', () => {
      expect(plan([scored(), ...broken(1), busy(2)], many)).toEqual([]);
      expect(plan([...broken(1), busy(2)], many)).toEqual([]);
      expect(kinds(plan([...broken(1), busy(1)], many))).toEqual(['cancel-trial', 'fail']);
    });
  });

  test('report the error that most trials had', () => {
    const trials = [failed('22003', 'rare'), failed('XX000', 'common'), failed('XX000', 'common')];
    expect(plan(trials, { maxTrials: 3 })).toMatchObject([{ kind: 'fail', error: { message: 'common' } }]);
  });
});
