import { decayAt } from '../../graph/weight-average.ts';

/** What the moving average of a weight consists of after a round: how much of the average before, of the weight the round started from, and of its mean. */
export interface AverageTerms {
  before: number;
  start: number;
  end: number;
}

/**
 * Those after `steps` steps from step `done` on, if the mean of the workers moved in a straight line: nobody knows it
 * between two exchanges, and the path of a single worker is noisier. a ← d·a + (1 − d)·w with w = start + (k / steps)·(end − start).
 */
export function averageTerms(decay: number, { done, steps }: { done: number; steps: number }): AverageTerms {
  let terms: AverageTerms = { before: 1, start: 0, end: 0 };
  for (let k = 1; k <= steps; k++) {
    const d = decayAt(done + k - 1, decay);
    const along = k / steps;
    const { before, start, end } = terms;
    terms = { before: d * before, start: d * start + (1 - d) * (1 - along), end: d * end + (1 - d) * along };
  }
  return terms;
}

/** The average of these terms, in the place of the one before. */
export function averageOf(terms: AverageTerms, values: Record<keyof AverageTerms, Float32Array>): Float32Array {
  const { before, start, end } = values;
  for (let i = 0; i < before.length; i++) {
    before[i] =
      terms.before * (before[i] as number) + terms.start * (start[i] as number) + terms.end * (end[i] as number);
  }
  return before;
}
