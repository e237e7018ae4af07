import { quantile } from '../normal.ts';

/**
 * Transforms scores for a Gaussian process: mean 0, deviation 1. The better half keeps its distances; below the median
 * only the order counts, so that a failed or diverged trial does not flatten the rest (the half-rank warp of Song et
 * al. 2024, "The Vizier Gaussian Process Bandit Algorithm", section 4.1).
 */
export function halfRank(scores: readonly number[]): Float64Array {
  const sorted = [...scores].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const better = sorted.filter((score) => score > median);
  // The mean square of half a normal distribution about the median.
  const deviation = Math.sqrt(
    better.reduce((sum, score) => sum + (score - median) ** 2, 0) / Math.max(1, better.length),
  );
  const rank = new Map(sorted.map((score, i) => [score, i]));
  const warped = scores.map((score) =>
    score >= median ? score : median + deviation * quantile(((rank.get(score) as number) + 0.5) / sorted.length),
  );
  return standardise(warped);
}

function standardise(values: readonly number[]): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const deviation = variance > 0 ? Math.sqrt(variance) : 1;
  return Float64Array.from(values, (value) => (value - mean) / deviation);
}
