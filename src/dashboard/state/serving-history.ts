import type { ServedModelAnswer } from '../../http/charts/serving.ts';

/** Upper bounds of counted latencies, ms, and of batch sizes, rows: src/serving/predict-stat.ts. */
export const latencyBoundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
export const sizeBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** What all models did between two looks. */
export interface ServingPoint {
  /** Unix seconds. */
  at: number;
  callsPerS: number;
  rowsPerS: number;
  /** Of the calls since the look before; null without any. */
  p50Ms: number | null;
  p90Ms: number | null;
  p99Ms: number | null;
  overduePerS: number;
  refusedPerS: number;
}

/** Counts since the servers started; a server that restarts begins at zero. */
export interface ServingSample {
  atMs: number;
  models: readonly ServedModelAnswer[];
}

/**
 * The time that the share `q` of the counted calls took at most, interpolated within its bucket; null without calls. Above the last
 * bound it is that bound.
 */
export function quantileOf(counts: readonly number[], bounds: readonly number[], q: number): number | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total <= 0) return null;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const n = counts[i] ?? 0;
    const high = bounds[i];
    if (high === undefined) return bounds.at(-1) ?? null;
    if (n > 0 && below + n >= q * total) {
      const low = i === 0 ? 0 : (bounds[i - 1] ?? 0);
      return low + (high - low) * ((q * total - below) / n);
    }
    below += n;
  }
  return bounds.at(-1) ?? null;
}

const sumOf = (models: readonly ServedModelAnswer[], of: (model: ServedModelAnswer) => number | null): number =>
  models.reduce((sum, model) => sum + (of(model) ?? 0), 0);

/** Counters of all models together, bucket by bucket. */
const latenciesOf = (models: readonly ServedModelAnswer[]): number[] =>
  Array.from({ length: latencyBoundsMs.length + 1 }, (_, i) => sumOf(models, ({ latencies }) => latencies[i] ?? 0));

/** Undefined if a server has restarted between the two looks: its counts fell. */
export function pointBetween(before: ServingSample, now: ServingSample): ServingPoint | undefined {
  const seconds = (now.atMs - before.atMs) / 1000;
  const grown = (of: (model: ServedModelAnswer) => number | null): number =>
    sumOf(now.models, of) - sumOf(before.models, of);
  const calls = grown((model) => model.calls);
  if (!(seconds > 0) || calls < 0) return undefined;
  const earlier = latenciesOf(before.models);
  const latencies = latenciesOf(now.models).map((n, i) => Math.max(0, n - (earlier[i] ?? 0)));
  return {
    at: now.atMs / 1000,
    callsPerS: calls / seconds,
    rowsPerS:
      Math.max(
        0,
        grown((model) => model.rows),
      ) / seconds,
    p50Ms: quantileOf(latencies, latencyBoundsMs, 0.5),
    p90Ms: quantileOf(latencies, latencyBoundsMs, 0.9),
    p99Ms: quantileOf(latencies, latencyBoundsMs, 0.99),
    overduePerS:
      Math.max(
        0,
        grown((model) => model.overdue),
      ) / seconds,
    refusedPerS:
      Math.max(
        0,
        grown((model) => model.refused),
      ) / seconds,
  };
}
