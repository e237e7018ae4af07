import { decayAt } from '../../graph/weight-average.ts';

/** What the moving average of a weight consists of after a round: shares of the average before, of the weight the round started from, and of its mean. */
export interface AverageShares {
  before: number;
  start: number;
  end: number;
}

/**
 * The shares after `steps` steps from step `done` on, if the mean of the workers moved in a straight line: nobody knows it
 * between two exchanges, and the path of a single worker is noisier. a ← d·a + (1 − d)·w with w = start + (k / steps)·(end − start).
 */
export function averageShares(decay: number, { done, steps }: { done: number; steps: number }): AverageShares {
  let shares: AverageShares = { before: 1, start: 0, end: 0 };
  for (let k = 1; k <= steps; k++) {
    const d = decayAt(done + k - 1, decay);
    const along = k / steps;
    const { before, start, end } = shares;
    shares = { before: d * before, start: d * start + (1 - d) * (1 - along), end: d * end + (1 - d) * along };
  }
  return shares;
}

/** The average that has these shares, in the place of the one before. */
export function averageOf(shares: AverageShares, parts: Record<keyof AverageShares, Float32Array>): Float32Array {
  const { before, start, end } = parts;
  for (let i = 0; i < before.length; i++) {
    before[i] =
      shares.before * (before[i] as number) + shares.start * (start[i] as number) + shares.end * (end[i] as number);
  }
  return before;
}
