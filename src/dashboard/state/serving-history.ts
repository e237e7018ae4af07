import type { ServedModelAnswer } from '../../http/charts/serving.ts';

/** Upper bounds of counted latencies, ms, and of batch sizes, rows: src/serving/predict-stat.ts. */
export const latencyBoundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
export const sizeBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** What a model did between two steps. */
export interface ServingPoint {
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

/** What all models did between two steps, by their names. */
export interface ServingStep {
  /** Unix seconds. */
  at: number;
  byModel: ReadonlyMap<string, ServingPoint>;
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

/** Models that the look before did not have are left out: what they did since then is not known. */
export function stepBetween(before: ServingSample, now: ServingSample): ServingStep {
  const earlier = new Map(before.models.map((model) => [model.model, model]));
  const seconds = (now.atMs - before.atMs) / 1000;
  const byModel = new Map<string, ServingPoint>();
  for (const model of now.models) {
    const known = earlier.get(model.model);
    const point = known === undefined ? undefined : pointBetween(known, model, seconds);
    if (point !== undefined) byModel.set(model.model, point);
  }
  return { at: now.atMs / 1000, byModel };
}

/** Undefined if a server has restarted meanwhile: a count fell. */
export function pointBetween(
  before: ServedModelAnswer,
  now: ServedModelAnswer,
  seconds: number,
): ServingPoint | undefined {
  const grown = (what: 'calls' | 'rows' | 'overdue' | 'refused'): number => (now[what] ?? 0) - (before[what] ?? 0);
  const latencies = now.latencies.map((n, i) => n - (before.latencies[i] ?? 0));
  const all = [grown('calls'), grown('rows'), grown('overdue'), grown('refused'), ...latencies];
  if (!(seconds > 0) || all.some((n) => n < 0)) return undefined;
  return {
    callsPerS: grown('calls') / seconds,
    rowsPerS: grown('rows') / seconds,
    p50Ms: quantileOf(latencies, latencyBoundsMs, 0.5),
    p90Ms: quantileOf(latencies, latencyBoundsMs, 0.9),
    p99Ms: quantileOf(latencies, latencyBoundsMs, 0.99),
    overduePerS: grown('overdue') / seconds,
    refusedPerS: grown('refused') / seconds,
  };
}
