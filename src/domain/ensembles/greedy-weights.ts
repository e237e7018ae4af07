import type { EnsembleLoss, FitEffort } from './panel.ts';

/** A source of numbers that are uniform in [0, 1). */
export type Uniform = () => number;

/**
 * Weights of candidates by greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, Ensemble selection from
 * libraries of models): the candidate that lowers the loss most is added, again and again. It is repeated on samples of the rows, drawn
 * with replacement (bagging), and the mean is taken: so a candidate that is good on a few rows by chance gets a small weight. The weights
 * sum to 1.
 */
export function greedyWeights(
  candidates: readonly number[],
  { rows, effort, lossOf, uniform }: { rows: Int32Array; effort: FitEffort; lossOf: EnsembleLoss; uniform: Uniform },
): Map<number, number> {
  const weights = new Map(candidates.map((candidate) => [candidate, 0]));
  for (let bag = 0; bag < effort.bags; bag++) {
    const drawn = rows.map(() => rows[Math.floor(uniform() * rows.length)] as number);
    const counts = greedyCounts(candidates, { steps: effort.steps, loss: (chosen) => lossOf(chosen, drawn) });
    const total = counts.reduce((sum, count) => sum + count, 0);
    for (const candidate of candidates)
      weights.set(candidate, (weights.get(candidate) as number) + (counts[candidate] as number) / total / effort.bags);
  }
  return weights;
}

/** How often each candidate was added when the loss was smallest; of equal candidates the first is added. */
export function greedyCounts(
  candidates: readonly number[],
  { steps, loss }: { steps: number; loss: (counts: Uint8Array) => number },
): Uint8Array {
  const counts = new Uint8Array(Math.max(...candidates) + 1);
  let best = { counts, loss: Number.POSITIVE_INFINITY };
  for (let step = 0; step < steps; step++) {
    let next = { candidate: candidates[0] as number, loss: Number.POSITIVE_INFINITY };
    for (const candidate of candidates) {
      counts[candidate]!++;
      const tried = loss(counts);
      counts[candidate]!--;
      if (tried < next.loss) next = { candidate, loss: tried };
    }
    counts[next.candidate]!++;
    if (step === 0 || next.loss < best.loss) best = { counts: counts.slice(), loss: next.loss };
  }
  return best.counts;
}
