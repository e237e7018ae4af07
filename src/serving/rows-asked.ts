import { DeadlineMissed } from '../errors/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Batcher } from './batcher.ts';
import { type Deadline, overdueError } from './questions.ts';
import type { NewQuestion, Outcome, Question, Waiter } from './queued-question.ts';

export interface RowsAskedOptions {
  texts: readonly string[];
  wantsDetail: boolean;
  session: object;
  deadline: Deadline;
  clock: Clock;
}

/** Rows of one call: asked one by one, waited for and given up together. */
export class RowsAsked {
  /** In the order of the texts; null for what is overdue where that was wished. */
  readonly outcomes: Promise<(Outcome | null)[]>;
  readonly #batcher: Batcher;
  readonly #deadline: Deadline;
  readonly #found: (Outcome | null)[];
  readonly #open = new Map<Waiter, Question>();
  #settle: { resolve(outcomes: (Outcome | null)[]): void; reject(error: unknown): void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(batcher: Batcher, { texts, wantsDetail, session, deadline, clock }: RowsAskedOptions) {
    this.#batcher = batcher;
    this.#deadline = deadline;
    this.#found = new Array<Outcome | null>(texts.length).fill(null);
    this.outcomes = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { budgetMs, startedMs, onOverdue } = deadline;
    const deadlineMs = startedMs + budgetMs;
    const isFirm = onOverdue !== 'answer';
    for (const [row, text] of texts.entries()) {
      this.#ask({ text, wantsDetail, session, deadlineMs, budgetMs, isFirm }, row);
    }
    if (this.#open.size === 0) this.#end();
    else if (isFirm) this.#timer = setTimeout(() => this.#overdue(), Math.max(0, deadlineMs - clock.nowMs()));
  }

  /** Nobody waits any more for what has no answer yet. */
  giveUp(error: unknown): void {
    this.#leave();
    this.#settle?.reject(error);
    this.#settle = undefined;
  }

  #ask(asked: NewQuestion, row: number): void {
    if (this.#settle === undefined) return; // an earlier row was refused
    const waiter: Waiter = {
      resolve: (outcome) => {
        this.#found[row] = outcome;
        this.#close(waiter);
      },
      reject: (error) => {
        if (this.#deadline.onOverdue === 'null' && error instanceof DeadlineMissed) this.#close(waiter);
        else this.giveUp(error);
      },
    };
    try {
      this.#open.set(waiter, this.#batcher.ask(asked, waiter));
    } catch (error) {
      waiter.reject(error);
    }
  }

  #close(waiter: Waiter): void {
    if (this.#open.delete(waiter) && this.#open.size === 0) this.#end();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#settle?.resolve(this.#found);
    this.#settle = undefined;
  }

  #overdue(): void {
    const { onOverdue, budgetMs } = this.#deadline;
    if (onOverdue === 'error') this.giveUp(overdueError(budgetMs));
    else {
      this.#leave();
      this.#end();
    }
  }

  #leave(): void {
    clearTimeout(this.#timer);
    for (const [waiter, question] of this.#open) this.#batcher.leave(question, waiter);
    this.#open.clear();
  }
}
