import { stationMs, usefulSubsets } from './batches.ts';
import type { Fleet, Subset } from './policy.ts';
import type { Prices } from './prices.ts';

/** A candidate batch. */
export interface Choice {
  subset: Subset;
  /** Its first place in the queue, and the number of requests that it answers in time. */
  from: number;
  rows: number;
  /** Index of its size. */
  size: number;
  /** When its last station can start: later than now if that station is busy. */
  startMs: number;
  /** Reward minus the price of its time and of the requests that it leaves behind. */
  score: number;
}

/** Prefers the batch with more rows among equals; far below any accuracy. */
const PER_ROW = 1e-4;

/** One subset and size, with values that are constant during the look-ahead. */
export interface Option {
  subset: Subset;
  size: number;
  /** Stations of the subset, and the time of the batch at each, ms. */
  stations: number[];
  times: number[];
  /** Price of the batch's time. */
  cost: number;
  /** Reward of a row above the price of a request. */
  margin: number;
}

/** Largest first: where time is dear they are best, and the rest can be skipped. */
export function optionsOf(fleet: Fleet, prices: Prices): Option[] {
  const options = usefulSubsets(fleet).flatMap((subset) => {
    const stations = fleet.stations.flatMap((station, s) => ((station.members & subset) === 0 ? [] : [s]));
    const margin = (fleet.accuracy[subset] ?? 0) - prices.request + PER_ROW;
    return fleet.sizes.map((rows, size) => {
      const times = stations.map((s) => stationMs(fleet, fleet.stations[s]!, { subset, rows }));
      const cost = times.reduce((sum, ms, i) => sum + ms * (prices.stations[stations[i]!] ?? 0), 0);
      return { subset, size, stations, times, cost, margin };
    });
  });
  return options.sort((a, b) => b.size - a.size);
}

export const emptyChoice = (): Choice => ({ subset: 0, from: 0, rows: 0, size: 0, startMs: 0, score: 0 });

export function copyChoice(from: Choice, to: Choice): void {
  to.subset = from.subset;
  to.from = from.from;
  to.rows = from.rows;
  to.size = from.size;
  to.startMs = from.startMs;
  to.score = from.score;
}
