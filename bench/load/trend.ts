/** Robust trend of a series: Theil (1950) and Sen (1968). */
export interface Trend {
  /** Median of the slopes between any two points, a second. */
  slope: number;
  /** The slope times the whole time. */
  drift: number;
  /** Interquartile range about the line. */
  noise: number;
  median: number;
  /** It did not grow by more than its noise, or than a hundredth of itself. */
  ok: boolean;
}

export interface Point {
  /** Seconds. */
  x: number;
  y: number;
}

/** After the first tenth of the time, in which caches fill. O(n²) slopes: 500 points are 125,000. */
export function trendOf(points: readonly Point[]): Trend {
  const first = points[0]?.x ?? 0;
  const last = points.at(-1)?.x ?? 0;
  const kept = points.filter(({ x }) => x >= first + (last - first) / 10);
  const slopes: number[] = [];
  for (const [i, a] of kept.entries()) for (const b of kept.slice(i + 1)) slopes.push((b.y - a.y) / (b.x - a.x));
  const slope = quantile(slopes, 0.5);
  const drift = slope * ((kept.at(-1)?.x ?? 0) - (kept[0]?.x ?? 0));
  const residuals = kept.map(({ x, y }) => y - slope * x);
  const noise = quantile(residuals, 0.75) - quantile(residuals, 0.25);
  const median = quantile(
    kept.map(({ y }) => y),
    0.5,
  );
  return { slope, drift, noise, median, ok: drift <= Math.max(noise, median / 100) };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}
