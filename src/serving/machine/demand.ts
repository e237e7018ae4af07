import { lateAt } from '../policies/batches.ts';
import type { ServedFleet } from '../policies/fleet.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { QueueView } from '../policies/policy.ts';

/** One model's queue, as the machine sees it. */
export interface ModelQueue {
  /** Whether the model is loaded. */
  readonly isReady: boolean;
  readonly requests: {
    /** All that wait, late and speculative ones included. */
    readonly length: number;
    /** Those that can be in time, as far as is known. */
    readonly queue: QueueView;
    first(): { deadlineMs: number; budgetMs: number } | undefined;
    /** Whether a late one has waited so long that it may delay others. */
    hasOld(nowMs: number): boolean;
    /** Roles of requests that wait. */
    readonly waitingRoles: Iterable<string>;
  };
  /** Arrivals per millisecond. */
  readonly rate: { at(nowMs: number): number };
  readonly fleet: ServedFleet;
  /** The latency budget τ of most requests, ms. */
  readonly budgetMs: number;
  /** Runs what may run now. */
  dispatch(): void;
}

/** What one model needs of the machine soon. */
interface Demand {
  queue: ModelQueue;
  /** Requests that wait and can be in time. */
  waiting: number;
  /** When the first of them is due, or a request that comes now. */
  dueMs: number;
  rate: number;
}

/** Almost all batches of the most accurate subset take at most so long, ms. */
export const takesMs = (fleet: ServedFleet, rows: number): number => fleet.margin * fleet.subsetMs(fleet.best, rows);

/** Rates are estimated from at most so many budgets: then a model without requests has none. */
const RATE_BUDGETS = 4;

/** The demands of several models on a machine. */
export class Demands {
  /** The earliest deadline first. */
  readonly #all: Demand[] = [];
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** `lastMs`: when its last request came. */
  add(queue: ModelQueue, lastMs: number): void {
    const nowMs = this.#nowMs;
    if (!queue.isReady) return;
    const { requests, rate, fleet, budgetMs } = queue;
    const rowMs = takesMs(fleet, 1);
    const lost = lateAt(requests.queue, nowMs + rowMs);
    const waiting = requests.queue.length - lost;
    if (waiting === 0 && rowMs > budgetMs) return; // no request can be in time
    this.#all.push({
      queue,
      waiting,
      dueMs: Math.min(nowMs + budgetMs, requests.queue.deadlineMs(lost)),
      rate: nowMs - lastMs > RATE_BUDGETS * budgetMs ? 0 : rate.at(nowMs),
    });
  }

  order(): void {
    this.#all.sort((a, b) => a.dueMs - b.dueMs);
  }

  /**
   * The queues of which a request would be late if from `freeMs` on their next batches ran one after another, the
   * earliest deadline first: of the requests that wait and those expected until then, and a standard deviation more.
   * Those that are late anyway hold up no other.
   */
  lateFrom(freeMs: number): ModelQueue[] {
    const late: ModelQueue[] = [];
    let busyMs = freeMs;
    for (const { queue, waiting, dueMs, rate } of this.#all) {
      const coming = rate * (freeMs - this.#nowMs);
      const rows = Math.min(largestBatch, Math.ceil(waiting + coming + Math.sqrt(coming)));
      const ms = takesMs(queue.fleet, Math.max(1, rows));
      if (busyMs + ms > dueMs) late.push(queue);
      else busyMs += Math.min(1, waiting + coming) * ms;
    }
    return late;
  }
}
