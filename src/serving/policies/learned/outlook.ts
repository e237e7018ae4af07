import {
  earliestMs,
  finishMs,
  largestOf,
  lateAt,
  mostAccurate,
  startMs,
  stationMs,
  usefulSubsets,
} from '../batches.ts';
import type { Fleet, PolicyOptions, PolicyState, Station, Subset } from '../policy.ts';

/** β: cost of an overdue answer, in correct answers. */
const BETA = 1;
/** Times, in τ, and backlogs, in what is answered within τ, are cut off here: beyond, everything is late anyway. */
const FAR = 3;
/** Accuracies differ by hundredths. */
const PER_ACCURACY = 10;

/** The largest batches of a subset that have a request in time: with more there is little more to choose, at more cost. */
const MOST_SIZES = 6;

/** What can be done now: a batch for free devices or, with no rows, waiting for the next device. */
export interface Prospect {
  subset: Subset;
  from: number;
  rows: number;
  /** a(M[v]) (b − β overdue), as a share of what the fleet can answer within τ. */
  reward: number;
}

/** What the network sees. */
export interface Outlook {
  /** None if no request can be answered in time and no device is busy. */
  prospects: readonly Prospect[];
  /** When the next device that is busy will be free. */
  nextFreeMs: number;
  /** [STATE_FEATURES] */
  state: Float64Array;
  /** [prospects, ACTION_FEATURES] */
  actions: Float64Array;
}

/** What is seen of an action, in this order; the values are those of no batch. */
const NO_BATCH = {
  waits: 0,
  /** Accuracy below that of the best subset. */
  worse: 0,
  reward: 0,
  inTime: 0,
  overdue: 0,
  takes: 0,
  /** Device time, of all devices' together. */
  work: 0,
  /** Compared with full throughput. */
  efficiency: 0,
  remaining: 0,
  /** Requests before the batch, which it would make late. */
  skipped: 0,
  /** Requests that will be late if they have to wait for another such batch. */
  endangered: 0,
  /** Time left of the first request when it is answered. */
  slack: 0,
  devices: 0,
};

export const STATE_FEATURES = 11;
export const ACTION_FEATURES = Object.keys(NO_BATCH).length;

/**
 * What the paper's actor-critic sees (section 5), c(m, b), when each model is free and how long requests have waited, and
 * the arrival rate: in units of τ and of the fleet's throughput, and as consequences of each batch instead of by model and
 * place in the queue. So one network serves every fleet. A batch is for free devices: one that waits for a busy device would
 * keep free ones idle.
 */
export function outlookOf({ fleet, leavesOut = lateAt }: PolicyOptions, state: PolicyState): Outlook {
  const { queue, nowMs } = state;
  const sight = new Sight(fleet, state);
  const prospects: Prospect[] = [];
  const values: number[] = [];
  const nextMs = Math.min(...state.freeMs.flat().filter((ms) => ms > nowMs));
  if (Number.isFinite(nextMs)) {
    prospects.push({ subset: 0, from: 0, rows: 0, reward: 0 });
    values.push(...sight.waiting(nextMs));
  }
  for (const subset of usefulSubsets(fleet)) {
    if (startMs(fleet, state, subset) > nowMs) continue;
    const batches = sizesFor(fleet, queue.length).map((size) => {
      const endMs = finishMs(fleet, state, { subset, rows: size });
      const from = leavesOut(queue, endMs);
      return { endMs, from, rows: Math.min(size, queue.length - from) };
    });
    for (const { endMs, from, rows } of batches.filter((batch) => batch.rows > 0).slice(-MOST_SIZES)) {
      const overdue = Math.min(rows, Math.max(0, lateAt(queue, endMs) - from));
      const reward = ((fleet.accuracy[subset] ?? 0) * (rows - BETA * overdue)) / sight.mostRows;
      prospects.push({ subset, from, rows, reward });
      values.push(...sight.batch({ subset, from, rows, reward }, { overdue, endMs }));
    }
  }
  return {
    ...{ prospects, nextFreeMs: nextMs },
    ...{ state: Float64Array.from(sight.state), actions: Float64Array.from(values) },
  };
}

/** Those that the queue fills, and all that wait if they fit into a batch. */
function sizesFor(fleet: Fleet, queued: number): number[] {
  const sizes = fleet.sizes.filter((size) => size < queued || size === largestOf(fleet));
  return sizes.map((size) => Math.min(size, queued));
}

/** A state in units of τ and of the throughput. */
class Sight {
  readonly state: readonly number[];
  /** Rows that the fleet can answer within τ. */
  readonly mostRows: number;
  readonly #fleet: Fleet;
  readonly #at: PolicyState;
  readonly #servers: number;
  readonly #best: Subset;

  constructor(fleet: Fleet, at: PolicyState) {
    const { queue, nowMs, budgetMs, rate } = at;
    this.#fleet = fleet;
    this.#at = at;
    this.#best = mostAccurate(fleet);
    this.#servers = fleet.stations.reduce((sum, { servers }) => sum + servers, 0);
    this.mostRows = budgetMs * throughputOf(fleet);
    const busyMs = at.freeMs.flat().flatMap((ms) => (ms > nowMs ? [ms - nowMs] : []));
    const waited = (place: number): number => this.#time(nowMs + budgetMs - queue.deadlineMs(place));
    this.state = [
      // the load: of what all devices can answer, and of what the best subset can
      Math.min(2, (rate * budgetMs) / this.mostRows),
      Math.min(2, rate / subsetThroughput(fleet, this.#best)),
      // the queue
      this.#backlog(queue.length),
      this.#batches(queue.length),
      waited(0),
      waited(queue.length >> 1),
      lateAt(queue, nowMs) / queue.length,
      // the devices: how many are busy, for how long on average, and when the next one and those of the best subset are free
      busyMs.length / this.#servers,
      this.#time(busyMs.reduce((sum, ms) => sum + ms, 0) / this.#servers),
      this.#time(busyMs.length === 0 ? 0 : Math.min(...busyMs)),
      this.#time(startMs(fleet, at, this.#best) - nowMs),
    ];
  }

  waiting(untilMs: number): number[] {
    const { queue, nowMs } = this.#at;
    const readyMs = earliestMs(this.#fleet, { ...this.#at, nowMs: untilMs });
    return Object.values({
      ...NO_BATCH,
      waits: 1,
      takes: this.#time(untilMs - nowMs),
      remaining: this.#backlog(queue.length),
      endangered: this.#batches(lateAt(queue, readyMs)),
      slack: this.#slack(0, readyMs),
    });
  }

  batch({ subset, from, rows, reward }: Prospect, { overdue, endMs }: { overdue: number; endMs: number }): number[] {
    const fleet = this.#fleet;
    const { queue, nowMs } = this.#at;
    let workMs = 0;
    let stations = 0;
    for (const station of fleet.stations) {
      if ((station.members & subset) === 0) continue;
      workMs += stationMs(fleet, station, { subset, rows });
      stations++;
    }
    const worse = (fleet.accuracy[this.#best] ?? 0) - (fleet.accuracy[subset] ?? 0);
    const endangered = lateAt(queue, 2 * endMs - nowMs) - from - rows;
    const work = this.#time(workMs / this.#servers);
    return Object.values({
      ...NO_BATCH,
      worse: Math.min(2, PER_ACCURACY * worse),
      reward,
      inTime: (rows - overdue) / largestOf(fleet),
      overdue: overdue / largestOf(fleet),
      takes: this.#time(endMs - nowMs),
      work,
      efficiency: work > 0 ? Math.min(1, rows / this.mostRows / work) : 1,
      remaining: this.#backlog(queue.length - rows),
      skipped: this.#batches(from),
      endangered: this.#batches(Math.max(0, endangered)),
      slack: this.#slack(from, endMs),
      devices: stations / this.#servers,
    });
  }

  #time(ms: number): number {
    return Math.max(-FAR, Math.min(FAR, ms / this.#at.budgetMs));
  }

  /** In τ at full throughput, on a logarithmic scale. */
  #backlog(rows: number): number {
    return Math.log1p(Math.min(FAR, rows / this.mostRows));
  }

  #batches(rows: number): number {
    return Math.min(2, rows / largestOf(this.#fleet));
  }

  #slack(place: number, endMs: number): number {
    return Math.max(-1, Math.min(1, (this.#at.queue.deadlineMs(place) - endMs) / this.#at.budgetMs));
  }
}

/** Rows a millisecond in largest batches, if at each station the quickest member answers. */
export function throughputOf(fleet: Fleet): number {
  const rows = largestOf(fleet);
  const quickestMs = ({ members }: Station): number => {
    let least = Number.POSITIVE_INFINITY;
    for (let m = 0; m < fleet.members; m++)
      if ((members & (1 << m)) !== 0) least = Math.min(least, fleet.latencyMs(m, rows));
    return least;
  };
  return fleet.stations.reduce((sum, station) => sum + (station.servers * rows) / quickestMs(station), 0);
}

/** Rows a millisecond in largest batches of one subset. */
function subsetThroughput(fleet: Fleet, subset: Subset): number {
  const rows = largestOf(fleet);
  const msOf = (station: Station): number => stationMs(fleet, station, { subset, rows }) / station.servers;
  return rows / Math.max(...fleet.stations.map(msOf));
}
