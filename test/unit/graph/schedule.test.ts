import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rateAt, type Schedule } from '../../../src/graph/optimisers/schedule.ts';

const rates = (schedule: Schedule | undefined, total: number, peak = 0.1): number[] =>
  Array.from({ length: total }, (_, step) => rateAt(step, { peak, total, schedule }));

describe('the learning rate', () => {
  const falling: Record<string, Schedule | undefined> = {
    'where none is named': undefined,
    linear: { kind: 'linear', warmUp: 0.1 },
    cosine: { kind: 'cosine', warmUp: 0.02 },
    'cosine without a climb': { kind: 'cosine' },
  };
  it.each(Object.entries(falling))(
    '%s: climbs to the peak, then falls, and is positive at every step',
    (_, schedule) => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 500 }), (total) => {
          const all = rates(schedule, total);
          const top = all.indexOf(Math.max(...all));
          expect(all[top]).toBeCloseTo(0.1);
          all.forEach((rate, step) => {
            expect(rate).toBeGreaterThan(0);
            if (step > 0) expect(rate > (all[step - 1] as number)).toBe(step <= top);
          });
        }),
      );
    },
  );

  it('constant: stays at its peak once it is there', () => {
    expect(rates({ kind: 'constant', warmUp: 0.5 }, 8, 1)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 1]);
    expect(rates({ kind: 'constant' }, 3, 1)).toEqual([1, 1, 1]);
  });

  it('step: falls at each of its shares of training', () => {
    const schedule: Schedule = { kind: 'step', at: [0.5, 0.75], factor: 0.1 };
    rates(schedule, 8, 1).forEach((rate, step) => {
      expect(rate).toBeCloseTo([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01][step] as number, 9);
    });
  });

  it('cosine: is half-way between peak and floor at half of the time', () => {
    expect(rateAt(50, { peak: 1, total: 100, schedule: { kind: 'cosine' } })).toBeCloseTo(0.5, 9);
    expect(rateAt(50, { peak: 1, total: 100, schedule: { kind: 'cosine', minimum: 0.2 } })).toBeCloseTo(0.6, 9);
    expect(rateAt(99, { peak: 1, total: 100, schedule: { kind: 'cosine', minimum: 0.2 } })).toBeGreaterThan(0.2);
  });
});
