import { DeadlineMissed } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LONGEST_TIMER_MS, setTimer } from '../../runtime/timer.ts';
import type { Batcher } from '../queue/batcher.ts';
import type { QueuedRequest, RequestOptions, RequestOutcome, RequestWaiter } from '../queue/queued-request.ts';
import { type Deadline, overdueError, termsOf } from './deadline.ts';

export interface RowsRequestOptions {
  inputs: readonly string[];
  wantsDetail: boolean;
  role: string;
  session: object;
  deadline: Deadline;
  clock: Clock;
}

/** Share of the budget that is kept for the way of an error to the caller, so that it arrives in time. */
const REPLY_SHARE = 0.01;

/** Rows of one call: queued separately, awaited and cancelled together. */
export class RowsRequest {
  /** In the order of the inputs; null for overdue ones, if the caller wants null. */
  readonly outcomes: Promise<(RequestOutcome | null)[]>;
  readonly #batcher: Batcher;
  readonly #deadline: Deadline;
  readonly #found: (RequestOutcome | null)[];
  /** By row; undefined for rows that have their outcome. */
  readonly #rows: (RowWaiter | undefined)[] = [];
  #open = 0;
  #settle: { resolve(outcomes: (RequestOutcome | null)[]): void; reject(error: unknown): void } | undefined;
  #clock: Clock;
  #timer: NodeJS.Timeout | undefined;

  constructor(batcher: Batcher, { inputs, wantsDetail, role, session, deadline, clock }: RowsRequestOptions) {
    this.#batcher = batcher;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#found = new Array<RequestOutcome | null>(inputs.length).fill(null);
    this.outcomes = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { budgetMs } = deadline;
    const options = { wantsDetail, role, session, ...termsOf(deadline) };
    for (const input of inputs) this.#ask(input, options);
    if (this.#open === 0) this.#end();
    else if (options.isFirm) {
      this.#startTimer(options.deadlineMs - REPLY_SHARE * budgetMs);
    }
  }

  /** A budget may be longer than the maximum of a timer. */
  #startTimer(untilMs: number): void {
    const leftMs = Math.max(0, untilMs - this.#clock.nowMs());
    this.#timer = setTimer(() => (leftMs > LONGEST_TIMER_MS ? this.#startTimer(untilMs) : this.#overdue()), leftMs);
  }

  /** Cancels the open rows and rejects the call. */
  abort(error: unknown): void {
    this.#leave();
    this.#settle?.reject(error);
    this.#settle = undefined;
  }

  answered(row: number, outcome: RequestOutcome | null): void {
    if (this.#rows[row] === undefined) return;
    this.#rows[row] = undefined;
    this.#found[row] = outcome;
    if (--this.#open === 0) this.#end();
  }

  refused(row: number, error: unknown): void {
    if (this.#deadline.onOverdue === 'null' && error instanceof DeadlineMissed) this.answered(row, null);
    else this.abort(error);
  }

  #ask(input: string, options: RequestOptions): void {
    if (this.#settle === undefined) return; // an earlier row was refused
    const row = new RowWaiter(this, this.#rows.length);
    this.#rows.push(undefined);
    try {
      row.request = this.#batcher.ask(input, options, row);
    } catch (error) {
      this.refused(row.place, error);
      return;
    }
    this.#rows[row.place] = row;
    this.#open++;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#settle?.resolve(this.#found);
    this.#settle = undefined;
  }

  #overdue(): void {
    const { onOverdue, budgetMs } = this.#deadline;
    if (onOverdue === 'error') this.abort(overdueError(budgetMs));
    else {
      this.#leave();
      this.#end();
    }
  }

  #leave(): void {
    clearTimeout(this.#timer);
    for (const row of this.#rows) if (row?.request !== undefined) this.#batcher.leave(row.request, row);
    this.#rows.fill(undefined);
    this.#open = 0;
  }
}

/** A class instead of closures, since one is created per row. */
class RowWaiter implements RequestWaiter {
  readonly place: number;
  readonly #call: RowsRequest;
  request: QueuedRequest | undefined;

  constructor(call: RowsRequest, place: number) {
    this.#call = call;
    this.place = place;
  }

  resolve(outcome: RequestOutcome): void {
    this.#call.answered(this.place, outcome);
  }

  reject(error: unknown): void {
    this.#call.refused(this.place, error);
  }
}
