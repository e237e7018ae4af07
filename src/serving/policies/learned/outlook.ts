import {
  earliestMs,
  finishMs,
  largestOf,
  lateAt,
  mostAccurate,
  startMs,
  stationMs,
  throughputOf,
  throughputOfSubset,
  usefulSubsets,
} from '../batches.ts';
import type { Fleet, PolicyOptions, PolicyState, Subset } from '../policy.ts';

/** β: cost of an overdue answer, in correct answers. */
const BETA = 1;
/** Times, in τ, and backlogs, in what is answered within τ, are cut off here: beyond, everything is late anyway. */
const FAR = 3;
/** Accuracies differ by hundredths. */
const PER_ACCURACY = 10;

/**
 * Of each subset only the largest batches that have a request in time, and fewer if there are many subsets: with more there
 * is little more to choose, at more cost.
 */
const MAX_SIZES = 6;
const MAX_BATCHES = 18;
const MIN_SIZES = 2;

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

/** What is seen of an action, by place; 0 where there is no batch. */
const SEEN = {
  waits: 0,
  /** Accuracy below that of the best subset. */
  worse: 1,
  reward: 2,
  inTime: 3,
  overdue: 4,
  takes: 5,
  /** Device time, of all devices' together. */
  work: 6,
  /** Compared with full throughput. */
  efficiency: 7,
  remaining: 8,
  /** Requests before the batch, which it would make late. */
  skipped: 9,
  /** Requests that will be late if they have to wait for another such batch. */
  endangered: 10,
  /** Time left of the first request when it is answered. */
  slack: 11,
  devices: 12,
} as const;

export const STATE_FEATURES = 11;
export const ACTION_FEATURES = Object.keys(SEEN).length;

/**
 * What the paper's actor-critic sees (section 5), c(m, b), when each model is free and how long requests have waited, and
 * the arrival rate: in units of τ and of the fleet's throughput, and as consequences of each batch instead of by model and
 * place in the queue. So one network serves every fleet. A batch is for free devices: one that waits for a busy device would
 * keep free ones idle.
 */
export function outlookOf({ fleet, leavesOut = lateAt }: PolicyOptions, state: PolicyState): Outlook {
  const { queue, nowMs } = state;
  const sight = new Sight(fleet, state);
  const prospects: TimedProspect[] = [];
  const { nextFreeMs } = sight;
  if (Number.isFinite(nextFreeMs)) prospects.push(waiting);
  const subsets = usefulSubsets(fleet);
  const most = Math.max(MIN_SIZES, Math.min(MAX_SIZES, Math.floor(MAX_BATCHES / subsets.length)));
  for (const subset of subsets) {
    if (startMs(fleet, state, subset) > nowMs) continue;
    const first = prospects.length;
    // Those that the queue fills, and all that wait if they fit into a batch.
    for (let i = fleet.sizes.length - 1; i >= 0 && prospects.length - first < most; i--) {
      const size = fleet.sizes[i]!;
      if (size >= queue.length && i < fleet.sizes.length - 1) continue;
      const filled = Math.min(size, queue.length);
      const endMs = finishMs(fleet, state, { subset, rows: filled });
      const from = leavesOut(queue, endMs);
      const rows = Math.min(filled, queue.length - from);
      if (rows <= 0) continue;
      const overdue = Math.min(rows, Math.max(0, lateAt(queue, endMs) - from));
      const reward = ((fleet.accuracy[subset] ?? 0) * (rows - BETA * overdue)) / sight.maxRows;
      prospects.push({ subset, from, rows, reward, overdue, endMs });
    }
    reverse(prospects, first);
  }
  const actions = new Float64Array(prospects.length * ACTION_FEATURES);
  for (let a = 0; a < prospects.length; a++) {
    const prospect = prospects[a]!;
    if (prospect.rows === 0) sight.wait(actions, a * ACTION_FEATURES);
    else sight.batch(prospect, actions, a * ACTION_FEATURES);
  }
  return { prospects, nextFreeMs, state: sight.state, actions };
}

interface TimedProspect extends Prospect {
  overdue: number;
  endMs: number;
}

const waiting: TimedProspect = { subset: 0, from: 0, rows: 0, reward: 0, overdue: 0, endMs: 0 };

/** Those from `first` on, in place. */
function reverse(prospects: TimedProspect[], first: number): void {
  for (let low = first, high = prospects.length - 1; low < high; low++, high--) {
    const moved = prospects[low]!;
    prospects[low] = prospects[high]!;
    prospects[high] = moved;
  }
}

/** A state in units of τ and of the throughput. */
class Sight {
  /** [STATE_FEATURES] */
  readonly state: Float64Array;
  /** Rows that the fleet can answer within τ. */
  readonly maxRows: number;
  /** When the next device that is busy will be free. */
  readonly nextFreeMs: number;
  readonly #fleet: Fleet;
  readonly #at: PolicyState;
  readonly #servers: number;
  readonly #best: Subset;

  constructor(fleet: Fleet, at: PolicyState) {
    const { queue, nowMs, budgetMs, rate } = at;
    this.#fleet = fleet;
    this.#at = at;
    this.#best = mostAccurate(fleet);
    let [servers, busy, busyMs, nextFreeMs] = [0, 0, 0, Number.POSITIVE_INFINITY];
    for (const { servers: count } of fleet.stations) servers += count;
    for (const station of at.freeMs) {
      for (const ms of station) {
        if (ms <= nowMs) continue;
        busy++;
        busyMs += ms - nowMs;
        if (ms < nextFreeMs) nextFreeMs = ms;
      }
    }
    this.#servers = servers;
    this.nextFreeMs = nextFreeMs;
    this.maxRows = budgetMs * throughputOf(fleet);
    const seen = new Float64Array(STATE_FEATURES);
    // the load: of what all devices can answer, and of what the best subset can
    seen[0] = Math.min(2, (rate * budgetMs) / this.maxRows);
    seen[1] = Math.min(2, rate / throughputOfSubset(fleet, this.#best));
    // the queue, and how long its first and its middle request have waited
    seen[2] = this.#backlog(queue.length);
    seen[3] = this.#batches(queue.length);
    seen[4] = this.#time(nowMs + budgetMs - queue.deadlineMs(0));
    seen[5] = this.#time(nowMs + budgetMs - queue.deadlineMs(queue.length >> 1));
    seen[6] = lateAt(queue, nowMs) / queue.length;
    // the devices: how many are busy, for how long on average, and when the next one and those of the best subset are free
    seen[7] = busy / servers;
    seen[8] = this.#time(busyMs / servers);
    seen[9] = busy === 0 ? 0 : this.#time(nextFreeMs - nowMs);
    seen[10] = this.#time(startMs(fleet, at, this.#best) - nowMs);
    this.state = seen;
  }

  /** Writes what is seen of waiting to `seen`, from place `to` on. */
  wait(seen: Float64Array, to: number): void {
    const { queue, nowMs } = this.#at;
    const readyMs = earliestMs(this.#fleet, { ...this.#at, nowMs: this.nextFreeMs });
    seen[to + SEEN.waits] = 1;
    seen[to + SEEN.takes] = this.#time(this.nextFreeMs - nowMs);
    seen[to + SEEN.remaining] = this.#backlog(queue.length);
    seen[to + SEEN.endangered] = this.#batches(lateAt(queue, readyMs));
    seen[to + SEEN.slack] = this.#slack(0, readyMs);
  }

  /** Writes what is seen of a batch. */
  batch({ subset, from, rows, reward, overdue, endMs }: TimedProspect, seen: Float64Array, to: number): void {
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
    seen[to + SEEN.worse] = Math.min(2, PER_ACCURACY * worse);
    seen[to + SEEN.reward] = reward;
    seen[to + SEEN.inTime] = (rows - overdue) / largestOf(fleet);
    seen[to + SEEN.overdue] = overdue / largestOf(fleet);
    seen[to + SEEN.takes] = this.#time(endMs - nowMs);
    seen[to + SEEN.work] = work;
    seen[to + SEEN.efficiency] = work > 0 ? Math.min(1, rows / this.maxRows / work) : 1;
    seen[to + SEEN.remaining] = this.#backlog(queue.length - rows);
    seen[to + SEEN.skipped] = this.#batches(from);
    seen[to + SEEN.endangered] = this.#batches(Math.max(0, endangered));
    seen[to + SEEN.slack] = this.#slack(from, endMs);
    seen[to + SEEN.devices] = stations / this.#servers;
  }

  #time(ms: number): number {
    return Math.max(-FAR, Math.min(FAR, ms / this.#at.budgetMs));
  }

  /** In τ at full throughput, on a logarithmic scale. */
  #backlog(rows: number): number {
    return Math.log1p(Math.min(FAR, rows / this.maxRows));
  }

  #batches(rows: number): number {
    return Math.min(2, rows / largestOf(this.#fleet));
  }

  #slack(place: number, endMs: number): number {
    return Math.max(-1, Math.min(1, (this.#at.queue.deadlineMs(place) - endMs) / this.#at.budgetMs));
  }
}
