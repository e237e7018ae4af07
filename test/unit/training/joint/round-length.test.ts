import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOf } from '../../../../src/domain/joint-training.ts';
import { RoundLength, roundBatches } from '../../../../src/training/joint/round-length.ts';

describe('the length of a round', () => {
  it('grows until the exchange takes a tenth of the time, at most twofold a round', () => {
    const length = new RoundLength(4);
    const seen = Array.from({ length: 8 }, () => {
      length.add({ batches: length.batches, trainSeconds: length.batches * 0.1, exchangeSeconds: 1 });
      return length.batches;
    });
    expect(seen).toEqual([8, 16, 32, 64, 92, 92, 92, 92]); // 9 s of training for 1 s of exchange, in runs of 4
  });

  it('is one run of the engine where exchanges cost next to nothing', () => {
    const length = new RoundLength(4);
    length.add({ batches: 4, trainSeconds: 4, exchangeSeconds: 0.001 });
    expect(length.batches).toBe(4);
  });

  it('is not changed by a round in which the worker had no batch', () => {
    const length = new RoundLength(4);
    length.add({ batches: 0, trainSeconds: 0, exchangeSeconds: 1 });
    expect(length.batches).toBe(4);
  });
});

describe('the batches of a round', () => {
  const sizes = { left: fc.integer({ min: 1, max: 500 }), seats: fc.integer({ min: 1, max: 64 }) };

  it('are dealt without gap or overlap, evenly', () => {
    fc.assert(
      fc.property(sizes.left, sizes.seats, fc.nat(100), (batches, seats, step) => {
        const round = { number: 1, epoch: 0, epochs: 1, step, batches, seats, basis: '' };
        const shares = Array.from({ length: seats }, (_, seat) => shareOf(round, seat));
        expect(shares[0]?.from).toBe(step);
        expect(shares.at(-1)?.to).toBe(step + batches);
        shares.slice(1).forEach(({ from }, i) => {
          expect(from).toBe(shares[i]?.to);
        });
        const counts = shares.map(({ from, to }) => to - from);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('use up an epoch, and none is left for a round in which most workers would be idle', () => {
    fc.assert(
      fc.property(
        sizes.left,
        sizes.seats,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 9 }),
        (...drawn) => {
          const [all, seats, run, runs] = drawn;
          for (let left = all; left > 0; ) {
            const batches = roundBatches(left, { seats, each: run * runs, run });
            expect(batches).toBeGreaterThan(0);
            expect(batches).toBeLessThanOrEqual(left);
            left -= batches;
            if (left > 0 && seats > 1) expect(left).toBeGreaterThanOrEqual(seats * run);
          }
        },
      ),
    );
  });

  it('of a worker alone are one run of the engine, as without rounds', () => {
    expect(roundBatches(100, { seats: 1, each: 4, run: 4 })).toBe(4);
    expect(roundBatches(7, { seats: 1, each: 4, run: 4 })).toBe(4);
    expect(roundBatches(3, { seats: 1, each: 4, run: 4 })).toBe(3);
  });
});
