import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { ArrivalRate } from '../../../src/serving/queue/arrival-rate.ts';

/** Poisson arrivals of `rate` a millisecond. */
function feed(estimate: ArrivalRate, { fromMs, toMs, rate }: { fromMs: number; toMs: number; rate: number }): void {
  const rng = createRng(5);
  for (let ms = fromMs; ms < toMs; ms += -Math.log(1 - rng.uniform()) / rate) estimate.arrived(ms);
}

describe('ArrivalRate', () => {
  it('is unknown before the first arrival', () => {
    expect(new ArrivalRate(100).at(50)).toBe(0);
  });

  it('estimates a steady rate from its widest window', () => {
    const estimate = new ArrivalRate(100);
    feed(estimate, { fromMs: 0, toMs: 2000, rate: 2 });
    // 800 arrivals in the window of 4 τ: a standard deviation of 3.5 %
    expect(estimate.at(2000)).toBeGreaterThan(1.75);
    expect(estimate.at(2000)).toBeLessThan(2.25);
  });

  it('is exact for even arrivals, in any window', () => {
    const estimate = new ArrivalRate(160); // bins of 10 ms
    estimate.arrived(0);
    expect(estimate.at(0)).toBeCloseTo(1 / 10, 12); // one in the first bin
    for (let ms = 1; ms < 1000; ms++) estimate.arrived(ms);
    expect(estimate.at(999)).toBeCloseTo(640 / 639, 2); // the widest window, of 64 bins
    for (let ms = 1000; ms < 1020; ms += 0.2) estimate.arrived(ms);
    // the narrowest window, of 3 bins and a part of a fourth, no longer agrees with wider ones
    expect(estimate.at(1020)).toBeCloseTo(110 / 30, 1);
  });

  it('follows a burst within half a budget', () => {
    const estimate = new ArrivalRate(100);
    feed(estimate, { fromMs: 0, toMs: 2000, rate: 0.5 });
    feed(estimate, { fromMs: 2000, toMs: 2050, rate: 4 });
    expect(estimate.at(2050)).toBeGreaterThan(2.5);
  });

  it('forgets what came long ago', () => {
    const estimate = new ArrivalRate(100);
    feed(estimate, { fromMs: 0, toMs: 1000, rate: 2 });
    expect(estimate.at(10_000)).toBe(0);
  });
});
