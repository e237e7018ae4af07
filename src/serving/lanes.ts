import { LimitReached } from '../errors/errors.ts';
import type { Verdict } from './ensemble.ts';
import { Fifo } from './fifo.ts';

/** Questions that may wait for one model; more are refused (53400). At 10 µs a row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
const MAX_SPECULATIVE = 8192;

export interface Outcome extends Verdict {
  /** Rows of the batch that it was in. */
  batch: number;
  /** Members asked. */
  members: number;
}

export interface Waiter {
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export interface Question {
  readonly text: string;
  readonly wantsDetail: boolean;
  askedMs: number;
  budgetMs: number;
  lane: 'demanded' | 'speculative' | 'running' | 'dropped';
  /** Who asked; nobody yet for what is read ahead. */
  readonly waiters: Set<Waiter>;
}

export type NewQuestion = Pick<Question, 'text' | 'wantsDetail' | 'askedMs' | 'budgetMs'>;

/**
 * The questions of one model that have no answer yet: those that somebody waits for, first in first out, and those that
 * were read ahead. A question that changes lane stays in its old queue as well, and is passed over there.
 */
export class Lanes {
  readonly #demanded = new Fifo<Question>();
  readonly #speculative = new Fifo<Question>();
  /** By text, the running ones too; questions for details apart. */
  readonly #open = new Map<string, Question>();
  readonly #openDetails = new Map<string, Question>();
  #demandedCount = 0;
  #speculativeCount = 0;

  get demanded(): number {
    return this.#demandedCount;
  }

  get speculative(): number {
    return this.#speculativeCount;
  }

  find(text: string, wantsDetail: boolean): Question | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(text);
  }

  demand(asked: NewQuestion): Question {
    if (this.#demandedCount >= MAX_QUEUED) throw queueFull(this.#demandedCount);
    const question: Question = { ...asked, lane: 'demanded', waiters: new Set() };
    this.#openOf(question).set(question.text, question);
    this.#demanded.push(question);
    this.#demandedCount++;
    return question;
  }

  /** False where there is no room for a row read ahead. */
  speculate(asked: NewQuestion): boolean {
    if (this.#speculativeCount >= MAX_SPECULATIVE) return false;
    const question: Question = { ...asked, lane: 'speculative', waiters: new Set() };
    this.#openOf(question).set(question.text, question);
    this.#speculative.push(question);
    this.#speculativeCount++;
    return true;
  }

  /** Somebody waits now for what was read ahead. */
  promote(question: Question, { askedMs, budgetMs }: { askedMs: number; budgetMs: number }): void {
    question.lane = 'demanded';
    question.askedMs = askedMs;
    question.budgetMs = budgetMs;
    this.#speculativeCount--;
    this.#demandedCount++;
    this.#demanded.push(question);
  }

  /** Nobody waits any more for a question that does not run yet. */
  drop(question: Question): void {
    this.#demandedCount--;
    question.lane = 'dropped';
    this.close(question);
  }

  dropSpeculative(): void {
    for (const question of this.takeSpeculative(this.#speculativeCount)) {
      question.lane = 'dropped';
      this.close(question);
    }
  }

  /** The question has its answer, or never will. */
  close(question: Question): void {
    this.#openOf(question).delete(question.text);
  }

  oldest(): Question | undefined {
    while (this.#demanded.length > 0 && this.#demanded.peek()?.lane !== 'demanded') this.#demanded.shift();
    return this.#demanded.peek();
  }

  takeDemanded(rows: number): Question[] {
    const taken = take(this.#demanded, 'demanded', rows);
    this.#demandedCount -= taken.length;
    return taken;
  }

  takeSpeculative(rows: number): Question[] {
    const taken = take(this.#speculative, 'speculative', rows);
    this.#speculativeCount -= taken.length;
    return taken;
  }

  #openOf({ wantsDetail }: Question): Map<string, Question> {
    return wantsDetail ? this.#openDetails : this.#open;
  }
}

/** The first `rows` of a queue that are still in its lane. */
function take(queue: Fifo<Question>, lane: Question['lane'], rows: number): Question[] {
  const taken: Question[] = [];
  while (taken.length < rows) {
    const question = queue.shift();
    if (question === undefined) break;
    if (question.lane !== lane) continue;
    question.lane = 'running';
    taken.push(question);
  }
  return taken;
}

const queueFull = (queued: number): LimitReached =>
  new LimitReached('too many predictions wait for this model', {
    detail: `${queued} are queued`,
    hint: 'Ask again in a moment, with fewer sessions at once.',
  });
