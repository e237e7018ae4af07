import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOf } from '../../../../src/domain/joint-training.ts';
import { RoundLength, roundBatches } from '../../../../src/training/joint/round-length.ts';

describe('the length of a round', () => {
  it('grows until the exchange takes 8 % of the time, at most fourfold a round', () => {
    const length = new RoundLength();
    const seen = Array.from({ length: 8 }, () => {
      const rows = Math.max(100, length.rows);
      length.add({ rows, trainSeconds: rows / 200, exchangeSeconds: 1 });
      return Math.round(length.rows);
    });
    expect(seen).toEqual([400, 1600, 2300, 2300, 2300, 2300, 2300, 2300]); // 11.5 s of training for 1 s of exchange
  });

  it('is next to nothing where exchanges cost next to nothing', () => {
    const length = new RoundLength();
    length.add({ rows: 100, trainSeconds: 4, exchangeSeconds: 0.001 });
    expect(length.rows).toBeLessThan(1);
  });
});

describe('the batches of a round', () => {
  const sizes = { left: fc.integer({ min: 1, max: 500 }), seats: fc.integer({ min: 1, max: 64 }) };

  it('are dealt without gap or overlap, evenly', () => {
    fc.assert(
      fc.property(sizes.left, sizes.seats, fc.nat(100), fc.integer({ min: 1, max: 64 }), (...drawn) => {
        const [batches, seats, step, batch] = drawn;
        const round = { number: 1, epoch: 0, epochs: 1, step, batches, seats, basis: '' };
        const shares = Array.from({ length: seats }, (_, seat) => shareOf(round, seat, batch));
        expect(shares[0]?.from).toBe(step * batch);
        expect(shares.at(-1)?.to).toBe((step + batches) * batch);
        shares.slice(1).forEach(({ from }, i) => {
          expect(from).toBe(shares[i]?.to);
        });
        const counts = shares.map(({ from, to }) => to - from);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('use up an epoch in rounds of about the same length, none shorter than asked unless the epoch is', () => {
    fc.assert(
      fc.property(sizes.left, fc.integer({ min: 1, max: 600 }), (all, min) => {
        const rounds: number[] = [];
        for (let left = all; left > 0; left -= rounds.at(-1) ?? 0) rounds.push(roundBatches(left, min));
        expect(rounds.reduce((sum, batches) => sum + batches, 0)).toBe(all);
        expect(Math.min(...rounds)).toBeGreaterThanOrEqual(Math.min(all, min));
        expect(Math.max(...rounds) - Math.min(...rounds)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
