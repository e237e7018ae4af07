import { stationMs, usefulSubsets } from './batches.ts';
import type { Fleet, Subset } from './policy.ts';
import type { Prices } from './prices.ts';

/** A candidate batch. */
export interface Choice {
  subset: Subset;
  /** Its first place in the queue, and the number of requests that it answers in time. */
  from: number;
  rows: number;
  /** When its last station can start: later than now if that station is busy. */
  startMs: number;
  /** Reward minus the price of its time and of the requests that it leaves behind. */
  score: number;
}

/** Prefers the batch with more rows among equals; far below any accuracy. */
const PER_ROW = 1e-4;
/** A size is a knee if the next row costs so much more than its last one. */
const KNEE = 1.1;

/** One subset, with values that are constant during the look-ahead. */
export interface Option {
  subset: Subset;
  /** Stations of the subset. */
  stations: number[];
  /** Reward of a row above the price of a request. */
  margin: number;
  /** The most that a row gains, its share of the price of time included; at least 0. */
  gain: number;
  /** Sizes that are cheaper per row than those around them, descending. */
  knees: readonly number[];
}

/** The most profitable first: it makes the others' bounds too low. */
export function optionsOf(fleet: Fleet, prices: Prices): Option[] {
  const options = usefulSubsets(fleet).map((subset) => {
    const stations = fleet.stations.flatMap((station, s) => ((station.members & subset) === 0 ? [] : [s]));
    const margin = (fleet.accuracy[subset] ?? 0) - prices.request + PER_ROW;
    const msOf = (s: number, rows: number): number => stationMs(fleet, fleet.stations[s]!, { subset, rows });
    const rowCost = (rows: number): number =>
      stations.reduce((sum, s) => sum + msOf(s, rows) * (prices.stations[s] ?? 0), 0) / rows;
    const gain = Math.max(0, margin - Math.min(...fleet.sizes.map(rowCost)));
    const knees = kneesOf(fleet.sizes, (rows) => stations.reduce((sum, s) => sum + msOf(s, rows), 0));
    return { subset, stations, margin, gain, knees };
  });
  return options.sort((a, b) => b.gain - a.gain);
}

/** E.g. the multiples of 16 on a device that pads batches to them; none if each row takes as long as any other. */
const kneesOf = (sizes: readonly number[], ms: (rows: number) => number): number[] =>
  sizes
    .slice(0, -1)
    .filter((size) => ms(size + 1) - ms(size) > KNEE * (ms(size) - ms(size - 1)))
    .reverse();

export const emptyChoice = (): Choice => ({ subset: 0, from: 0, rows: 0, startMs: 0, score: 0 });

export function copyChoice(from: Choice, to: Choice): void {
  to.subset = from.subset;
  to.from = from.from;
  to.rows = from.rows;
  to.startMs = from.startMs;
  to.score = from.score;
}
