import type { Rng } from '../../src/runtime/rng.ts';

/** Arrival times, ms, ascending. */
export type Arrivals = Float64Array;

export interface ArrivalLoad {
  /** Maximum throughput r_u, requests a millisecond. */
  capacity: number;
  /** τ, ms. */
  budgetMs: number;
  lengthMs: number;
}

/**
 * The paper's sine (section 6): r(t) = γ sin(2πt / T) + b with T = 500 τ, above r_u for 20 % of a cycle with a peak of
 * 1.1 r_u, hence γ = .5236 r_u and b = .5764 r_u; arrivals are Poisson around it. `scale` stretches r_u.
 */
export function sine(load: ArrivalLoad, rng: Rng, scale = 1): Arrivals {
  const peak = 1.1 * load.capacity * scale;
  const at = (ms: number): number =>
    load.capacity * scale * (0.5236 * Math.sin((2 * Math.PI * ms) / (500 * load.budgetMs)) + 0.5764);
  return thin({ lengthMs: load.lengthMs, peak, at }, rng);
}

/** One state of a source: its rate as a share of r_u, and how long it stays on average, in τ. */
export interface SourceState {
  rate: number;
  stay: number;
}

/** Markov-modulated Poisson: the source cycles through its states, staying in each for an exponential time. */
export function modulated(load: ArrivalLoad, rng: Rng, states: readonly SourceState[]): Arrivals {
  const times: number[] = [];
  let ms = 0;
  for (let turn = 0; ms < load.lengthMs; turn++) {
    const { rate, stay } = states[turn % states.length]!;
    const endMs = Math.min(load.lengthMs, ms + exponential(rng) * stay * load.budgetMs);
    if (rate > 0) {
      for (
        let t = ms + exponential(rng) / (rate * load.capacity);
        t < endMs;
        t += exponential(rng) / (rate * load.capacity)
      )
        times.push(t);
    }
    ms = endMs;
  }
  return Float64Array.from(times);
}

/** Alternates between on and off, each for a fixed time in τ; Poisson at `rate` × r_u while on. */
export function onOff(
  load: ArrivalLoad,
  rng: Rng,
  { on, off, rate }: { on: number; off: number; rate: number },
): Arrivals {
  const peak = rate * load.capacity;
  const at = (ms: number): number => ((ms / load.budgetMs) % (on + off) < on ? peak : 0);
  return thin({ lengthMs: load.lengthMs, peak, at }, rng);
}

/** Poisson at each of these shares of r_u in turn, for equal times. */
export function steps(load: ArrivalLoad, rng: Rng, rates: readonly number[]): Arrivals {
  const partMs = load.lengthMs / rates.length;
  const peak = Math.max(...rates) * load.capacity;
  const at = (ms: number): number => (rates[Math.floor(ms / partMs)] ?? 0) * load.capacity;
  return thin({ lengthMs: load.lengthMs, peak, at }, rng);
}

/** The sizes of clusters: a Pareto distribution of infinite variance, cut off. */
const SMALLEST_CLUSTER = 4;
const LARGEST_CLUSTER = 1000;
const TAIL = 1.5;
const MEAN_CLUSTER = (SMALLEST_CLUSTER * TAIL) / (TAIL - 1);
/** Within a cluster requests come at this rate, in r_u. */
const CLUSTER_RATE = 4;

/** Heavy-tailed clusters that begin independently of each other; on average a little less than `rate` × r_u. */
export function clusters({ capacity, lengthMs }: ArrivalLoad, rng: Rng, rate: number): Arrivals {
  const times: number[] = [];
  const pauseMs = MEAN_CLUSTER / (rate * capacity);
  for (let begin = pauseMs * exponential(rng); begin < lengthMs; begin += pauseMs * exponential(rng)) {
    const size = Math.min(LARGEST_CLUSTER, Math.round(SMALLEST_CLUSTER / (1 - rng.uniform()) ** (1 / TAIL)));
    let ms = begin;
    for (let i = 0; i < size; i++) {
      ms += exponential(rng) / (CLUSTER_RATE * capacity);
      times.push(ms);
    }
  }
  return Float64Array.from(times).sort();
}

/** Arrival times of a file: milliseconds, one a line, in any order; other lines are ignored. */
export function parseTrace(text: string): Arrivals {
  const times = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line)]));
  return Float64Array.from(times.filter(Number.isFinite)).sort();
}

/** A Poisson process of a variable rate, by thinning one of its peak rate. */
function thin({ lengthMs, peak, at }: { lengthMs: number; peak: number; at(ms: number): number }, rng: Rng): Arrivals {
  const times: number[] = [];
  for (let ms = exponential(rng) / peak; ms < lengthMs; ms += exponential(rng) / peak) {
    if (rng.uniform() * peak < at(ms)) times.push(ms);
  }
  return Float64Array.from(times);
}

const exponential = (rng: Rng): number => -Math.log(1 - rng.uniform());
