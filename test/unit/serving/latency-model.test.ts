import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { LatencyModel, measuredSizes } from '../../../src/serving/policies/latency-model.ts';

const measured = new Map(measuredSizes.map((size) => [size, 2 + 0.05 * size]));

describe('LatencyModel', () => {
  it('is linear between measured sizes, and proportional beyond the last', () => {
    const model = new LatencyModel(measured);
    for (const rows of [1, 2, 5, 40, 200, 256]) expect(model.predict(rows)).toBeCloseTo(2 + 0.05 * rows, 9);
    expect(model.predict(512)).toBeCloseTo(2 * (2 + 0.05 * 256), 9);
  });

  it('never estimates a smaller batch as slower than a larger one, with any disturbed measurement', () => {
    const disturbed = new LatencyModel(new Map([...measured, [4, 90]]));
    expect(disturbed.predict(4)).toBe(disturbed.predict(16));
    expect(disturbed.predict(16)).toBeCloseTo(2 + 0.05 * 16, 9);
  });

  it('learns sizes that were not measured at load from the batches that run, where there is traffic', () => {
    const bent = (rows: number): number => (rows <= 32 ? 10 + rows : 42 + 3 * (rows - 32));
    const model = new LatencyModel(new Map([1, 16, 64, 256].map((rows) => [rows, bent(rows)])));
    const before = [model.predict(40), model.predict(128)];
    for (let i = 0; i < 400; i++) for (const rows of [24, 32, 40, 48]) model.observe(rows, bent(rows));
    for (const rows of [24, 32, 40, 48]) expect(Math.abs(model.predict(rows) / bent(rows) - 1)).toBeLessThan(0.02);
    expect(before[0]).toBeGreaterThan(1.1 * bent(40));
    expect(model.predict(128)).toBe(before[1]);
  });

  it('knows that a row more may take as long as sixteen', () => {
    const padded = (rows: number): number => 10 + 16 * Math.ceil(rows / 16);
    const model = new LatencyModel(new Map(measuredSizes.map((rows) => [rows, padded(rows)])));
    expect([16, 17, 64, 65].map((rows) => model.predict(rows))).toEqual([16, 17, 64, 65].map(padded));
    for (let i = 0; i < 400; i++) for (const rows of [32, 33]) model.observe(rows, padded(rows));
    for (const rows of [32, 33]) expect(Math.abs(model.predict(rows) / padded(rows) - 1)).toBeLessThan(0.02);
  });

  it('keeps the order of sizes whatever is observed', () => {
    const observations = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 256 }), fc.double({ min: 0, max: 1e4, noNaN: true })),
    );
    fc.assert(
      fc.property(observations, (seen) => {
        const model = new LatencyModel(measured);
        for (const [rows, ms] of seen) model.observe(rows, ms);
        for (let rows = 2; rows <= 300; rows++)
          expect(model.predict(rows)).toBeGreaterThanOrEqual(model.predict(rows - 1));
      }),
    );
  });

  it('follows a device that became slower to about the quantile it keeps', () => {
    const model = new LatencyModel(measured);
    const rng = createRng(1);
    for (let i = 0; i < 500; i++) model.observe(100, 20 + 2 * rng.uniform());
    // the 0.75 quantile of [20, 22] is 21.5; the step keeps the estimate moving about it
    expect(model.predict(100)).toBeGreaterThan(20);
    expect(model.predict(100)).toBeLessThan(24);
  });

  it('stays positive and finite whatever is observed', () => {
    const observations = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 1e6, noNaN: true })),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(observations, (seen) => {
        const model = new LatencyModel(measured);
        for (const [rows, ms] of seen) model.observe(rows, ms);
        return measuredSizes.every((size) => model.predict(size) > 0 && Number.isFinite(model.predict(size)));
      }),
    );
  });
});
