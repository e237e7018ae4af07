import { describe, expect, it } from 'vitest';
import { type GivenTime, MAX_STRETCH, shareSeconds, timeOf } from '../../../src/training/trial-time.ts';

const given: GivenTime = {
  studySeconds: 600,
  workers: 2,
  shareSeconds: 150,
  rung: 1,
  plannedSeconds: null,
  limits: { families: 5, maxTrials: 16 },
  leavesRefit: false,
};

describe('the time of a trial', () => {
  it('is all that the study has, and for a longer schedule, if it is the only one', () => {
    const time = timeOf(given, 600);
    expect(time).toMatchObject({ isAlone: true, plannedSeconds: null, maxEpochs: MAX_STRETCH });
    expect(time.shareSeconds).toBeLessThan(600); // the rest is for what comes after training
    expect(time.shareSeconds).toBeGreaterThan(570);
  });

  it('leaves a fifth for training on all rows afterwards', () => {
    const [whole, less] = [timeOf(given, 600), timeOf({ ...given, leavesRefit: true }, 600)];
    expect(less.shareSeconds).toBeCloseTo(0.8 * whole.shareSeconds);
  });

  it('is a part of the first rung if others are tried, and fits its schedule into it', () => {
    const time = timeOf(given, 250); // there is time for four trainings: rungs of four, two and one
    expect(time).toMatchObject({ isAlone: false, rung: 1, minEpochs: 0, maxEpochs: 1 });
    expect(time.plannedSeconds).toBe(600 / 4 / 2);
  });

  it('is what the coordinator planned in a later rung', () => {
    expect(timeOf({ ...given, rung: 2, plannedSeconds: 70 }, 100)).toMatchObject({
      ...{ isAlone: false, shareSeconds: 70, plannedSeconds: 70 },
    });
    expect(timeOf({ ...given, rung: 3 }, 100)).toMatchObject({ isAlone: true, rung: 3 });
  });

  it('stays as an earlier attempt has planned it, whatever workers there are now', () => {
    const alone = { ...given, workers: 16 };
    expect(timeOf(alone, 250).isAlone).toBe(false);
    expect(timeOf(alone, 250, true)).toMatchObject({ isAlone: true, rung: 1 });
    expect(timeOf({ ...alone, rung: null }, 250, true)).toMatchObject({ isAlone: false, rung: null });
  });

  it('is not that of a rung if the trial is quick on all data', () => {
    expect(timeOf({ ...given, plannedSeconds: 70 }, 0)).toMatchObject({ rung: null, plannedSeconds: null });
  });

  it('is its share, with half of its epochs at least, if all trials are trained to their end', () => {
    const toItsEnd = { isAlone: false, rung: null, shareSeconds: 150, minEpochs: 0.5, maxEpochs: 1 };
    expect(timeOf(given, 20)).toMatchObject(toItsEnd);
    expect(timeOf(given, 0)).toMatchObject(toItsEnd);
    expect(timeOf({ ...given, limits: null }, 600)).toMatchObject(toItsEnd);
  });
});

describe('the share of a trial', () => {
  it('is a quarter of max_time, and of the first one of a family what lets the workers train two families', () => {
    const shares = (isFirst: boolean): number[] =>
      [1, 2, 3].map((workers) => shareSeconds({ maxSeconds: 120, workers, isFirst }));
    expect(shares(true)).toEqual([60, 120, 120]);
    expect(shares(false)).toEqual([30, 30, 30]);
  });
});
