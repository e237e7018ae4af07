import { stationMs, usefulSubsets } from './batches.ts';
import type { Fleet, Subset } from './policy.ts';
import type { Prices } from './prices.ts';

/** A batch that could be dispatched at some moment. */
export interface Choice {
  subset: Subset;
  /** Place in the queue that it begins at, and how many it answers in time. */
  from: number;
  rows: number;
  /** Its allowed size, as an index. */
  size: number;
  /** When its last station can begin: later than now where that is busy. */
  startMs: number;
  /** Reward minus what its time, and those whom it leaves behind, are worth. */
  score: number;
}

/** Of batches worth the same, the one with more rows; far below any accuracy. */
const PER_ROW = 1e-4;

/** One subset and size, with what does not change while looking ahead. */
export interface Option {
  subset: Subset;
  size: number;
  /** Stations of the subset, and the time of the batch at each. */
  stations: number[];
  times: number[];
  /** Priced time of the batch. */
  cost: number;
  /** What a row earns beyond what a request is worth. */
  margin: number;
}

/** The largest first: where time is dear they are the best, and those below need not be weighed. */
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
