import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rateAt } from '../../../src/engine/schedule.ts';

it('climbs to the peak, then falls, and is positive at every step', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), (total) => {
      const rates = Array.from({ length: total }, (_, step) => rateAt(step, { peak: 0.1, total }));
      const top = rates.indexOf(Math.max(...rates));
      expect(rates[top]).toBeCloseTo(0.1);
      rates.forEach((rate, step) => {
        expect(rate).toBeGreaterThan(0);
        if (step > 0) expect(rate > (rates[step - 1] as number)).toBe(step <= top);
      });
    }),
  );
});
