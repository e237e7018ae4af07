import { lateAt } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { Subset } from '../policies/policy.ts';
import type { BatcherOptions, BatcherQueue } from './batch-answer.ts';
import type { QueuedRequest } from './queued-request.ts';

/** Share of late rows that have waited for long, so that every request is answered eventually. */
const OLD_SHARE = 0.125;
/** Rows are added to a batch if they then take less than this share of their time in batches of their own. */
const PAYS = 0.95;
/** A batch of late rows that takes this share of the budget hardly delays a request. */
const SHORT_SHARE = 0.125;
/** A longer one is the smallest that takes at most so much more for a row than the largest harmless one. */
const NEARLY = 1.02;
/** Rows of a model that is too slow for its budget: all are late, and batches should pay. */
const SLOW_BATCH = 4;

export interface SpareTimeOptions extends Pick<BatcherOptions, 'fleet' | 'clock' | 'budgetMs' | 'machine'> {
  queue: BatcherQueue;
}

/** A batch of rows that are answered in time; there may be none. */
interface TimelyBatch {
  subset: Subset;
  rows: number;
  /** The earliest deadline of its rows. */
  firstMs: number;
}

/** How many late or speculative rows a batch may have in addition: none may make a request late. */
export class SpareTime {
  readonly #options: SpareTimeOptions;
  /** Old rows that the next batches may include. */
  #owed = 0;

  constructor(options: SpareTimeOptions) {
    this.#options = options;
  }

  /**
   * Rows that may be added to a batch. It still ends before the deadlines of its own rows, and so early that another
   * batch can then answer in time those that wait now and those that will have come, the first of them immediately.
   */
  addable(batch: readonly QueuedRequest[], subset: Subset): number {
    const firstMs = batch.reduce((first, { deadlineMs }) => Math.min(first, deadlineMs), Number.POSITIVE_INFINITY);
    const timely = { subset, rows: batch.length, firstMs };
    const rows = this.#harmless(timely);
    return rows > 0 && this.#pays(timely, rows) ? rows : 0;
  }

  #harmless(batch: TimelyBatch): number {
    const { requests } = this.#options.queue;
    const most = Math.min(largestBatch - batch.rows, requests.deferred + requests.speculative);
    if (most <= 0) return 0;
    const isHarmless = this.#mayAdd(batch);
    let low = 0;
    let high = most;
    for (let more = most; low < high; more = (low + high + 1) >>> 1) {
      if (isHarmless(more)) low = more;
      else high = more - 1;
    }
    return low;
  }

  /** Whether rows take less time with others than alone. */
  #pays({ subset, rows }: TimelyBatch, more: number): boolean {
    const { fleet, budgetMs } = this.#options;
    const apart = Math.max(1, fleet.rowsWithin(budgetMs / 2));
    const addedMs = (fleet.subsetMs(subset, rows + more) - fleet.subsetMs(subset, rows)) / more;
    return addedMs < (PAYS * fleet.subsetMs(subset, apart)) / apart;
  }

  /**
   * Rows of a batch of late or speculative rows alone. If a single row takes over half of the budget, no such batch is
   * harmless: one row at a time; or more if no request can be in time anyway.
   */
  alone(): number {
    const { fleet, queue, budgetMs } = this.#options;
    const { best } = fleet;
    const rows = this.#harmless({ subset: best, rows: 0, firstMs: Number.POSITIVE_INFINITY });
    if (rows > 0) {
      const short = Math.min(rows, fleet.rowsWithin(SHORT_SHARE * budgetMs));
      return Math.max(fleet.smallestLike(rows, NEARLY), short);
    }
    if (queue.requests.demanded > 0) return 0;
    const rowMs = fleet.margin * fleet.subsetMs(best, 1);
    if (rowMs > budgetMs) return Math.max(1, fleet.rowsWithin(SLOW_BATCH * rowMs));
    return 2 * rowMs > budgetMs ? 1 : 0;
  }

  /** How many of a batch's `rows` should be left to old ones. */
  owed(rows: number): number {
    const { queue, clock } = this.#options;
    const { requests } = queue;
    if (!requests.hasOld(clock.nowMs())) return 0;
    this.#owed = Math.min(largestBatch, this.#owed + OLD_SHARE * rows);
    const taken = Math.min(rows, requests.deferred, Math.floor(this.#owed));
    this.#owed -= taken;
    return taken;
  }

  /** Whether so many rows may be added. */
  #mayAdd({ subset, rows, firstMs }: TimelyBatch): (more: number) => boolean {
    const { queue: own, machine, fleet, clock, budgetMs } = this.#options;
    const nowMs = clock.nowMs();
    const rate = own.rate.at(nowMs);
    const takesMs = (size: number): number => fleet.margin * fleet.subsetMs(subset, Math.min(largestBatch, size));
    const { queue } = own.requests;
    const lost = lateAt(queue, nowMs + takesMs(rows) + takesMs(1)); // whatever is added
    const waiting = queue.length - lost;
    const dueMs = Math.min(nowMs + budgetMs, queue.deadlineMs(lost));
    return (more) => {
      const ms = takesMs(rows + more);
      const coming = rate * ms + Math.sqrt(rate * ms); // a standard deviation more than are expected
      const next = Math.max(1, Math.ceil((waiting + coming) / machine.slots.count));
      if (nowMs + ms > firstMs || nowMs + ms + takesMs(next) > dueMs) return false;
      return rows === 0 || machine.isHarmless(own, ms); // of late rows alone, the machine decides
    };
  }
}
