import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { greedyCounts, greedyWeights } from '../../../../src/domain/ensembles/greedy-weights.ts';
import { createRng } from '../../../../src/runtime/rng.ts';

/** Log loss of the weighted mean of what each candidate gives to the right class. */
const lossOf =
  (right: readonly (readonly number[])[]) =>
  (counts: ArrayLike<number>, rows: ArrayLike<number>): number => {
    const total = Array.from(counts).reduce((sum, count) => sum + count, 0);
    const losses = Array.from(rows, (row) => {
      const p = right.reduce((sum, column, c) => sum + (counts[c] ?? 0) * column[row]!, 0) / total;
      return -Math.log(p);
    });
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };

/** All ways to add `steps` members of three candidates. */
const multisets = (steps: number): number[][] =>
  Array.from({ length: steps + 1 }, (_, a) =>
    Array.from({ length: steps + 1 - a }, (__, b) => [a, b, steps - a - b]),
  ).flat();

const columns = fc.array(fc.array(fc.double({ min: 0.05, max: 0.95, noNaN: true }), { minLength: 12, maxLength: 12 }), {
  minLength: 3,
  maxLength: 3,
});
const rows = Int32Array.from({ length: 12 }, (_, row) => row);

describe('greedy selection', () => {
  it('is as good as the best of all multisets, but for what the last members can change', () => {
    fc.assert(
      fc.property(columns, (right) => {
        const loss = lossOf(right);
        const counts = greedyCounts([0, 1, 2], { steps: 20, loss: (chosen) => loss(chosen, rows) });
        const best = Math.min(...multisets(20).map((each) => loss(each, rows)));
        expect(loss(counts, rows)).toBeLessThanOrEqual(best + 0.05);
        const alone = [0, 1, 2].map((c) =>
          loss(
            Uint8Array.from([0, 1, 2], (other) => Number(other === c)),
            rows,
          ),
        );
        expect(loss(counts, rows)).toBeLessThanOrEqual(Math.min(...alone) + 1e-12);
      }),
    );
  });

  it('adds in each step the candidate that is best then, and keeps the best step', () => {
    fc.assert(
      fc.property(columns, (right) => {
        const loss = lossOf(right);
        const counts = [0, 0, 0];
        let best = { counts: [0, 0, 0], loss: Number.POSITIVE_INFINITY };
        for (let step = 0; step < 6; step++) {
          const tried = [0, 1, 2].map((c) => {
            const next = counts.map((count, other) => count + Number(other === c));
            return loss(next, rows);
          });
          counts[tried.indexOf(Math.min(...tried))]!++;
          if (loss(counts, rows) < best.loss) best = { counts: [...counts], loss: loss(counts, rows) };
        }
        expect([...greedyCounts([0, 1, 2], { steps: 6, loss: (chosen) => loss(chosen, rows) })]).toEqual(best.counts);
      }),
    );
  });
});

describe('bagged weights', () => {
  const weigh = (right: number[][], candidates: number[], bags = 10) => {
    const { uniform } = createRng(1);
    const effort = { steps: 20, bags, rows: 100 };
    return greedyWeights(candidates, { rows, effort, lossOf: lossOf(right), uniform });
  };

  it('sum to 1, and only the given candidates have some', () => {
    fc.assert(
      fc.property(columns, (right) => {
        const weights = weigh(right, [0, 2], 3);
        expect([...weights.keys()]).toEqual([0, 2]);
        expect([...weights.values()].reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  it('are equal shares of members that are right where the other is wrong, and nothing for noise', () => {
    const [even, odd] = [0, 1].map((rest) => Array.from(rows, (row) => (row % 2 === rest ? 0.95 : 0.3)));
    const weights = weigh([even!, odd!, Array.from(rows, () => 0.2)], [0, 1, 2], 50);
    expect(weights.get(0)).toBeGreaterThan(0.35);
    expect(weights.get(1)).toBeGreaterThan(0.35);
    expect(weights.get(2)).toBe(0);
  });
});
