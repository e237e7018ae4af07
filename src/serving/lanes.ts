import { LimitReached } from '../errors/errors.ts';
import type { Verdict } from './ensemble.ts';
import { Fifo } from './fifo.ts';

/** Questions that may wait for one model; more are refused (53400). At 10 µs a row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
const MAX_SPECULATIVE = 8192;
/** And so many characters of either: images are long. */
const MAX_QUEUED_CHARS = 512 * 1024 * 1024;
const MAX_SPECULATIVE_CHARS = 64 * 1024 * 1024;
/** A batch is cut off at so many characters: it may be posted to a thread as one string. */
const BATCH_CHARS = 32 * 1024 * 1024;

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
  readonly #demandedLoad = new Load();
  readonly #speculativeLoad = new Load();

  get demanded(): number {
    return this.#demandedLoad.rows;
  }

  get speculative(): number {
    return this.#speculativeLoad.rows;
  }

  find(text: string, wantsDetail: boolean): Question | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(text);
  }

  demand(asked: NewQuestion): Question {
    const load = this.#demandedLoad;
    if (load.rows >= MAX_QUEUED || load.chars >= MAX_QUEUED_CHARS) throw queueFull(load.rows);
    const question: Question = { ...asked, lane: 'demanded', waiters: new Set() };
    this.#openOf(question).set(question.text, question);
    this.#demanded.push(question);
    load.add(question);
    return question;
  }

  /** False where there is no room for a row read ahead. */
  speculate(asked: NewQuestion): boolean {
    const load = this.#speculativeLoad;
    if (load.rows >= MAX_SPECULATIVE || load.chars >= MAX_SPECULATIVE_CHARS) return false;
    const question: Question = { ...asked, lane: 'speculative', waiters: new Set() };
    this.#openOf(question).set(question.text, question);
    this.#speculative.push(question);
    load.add(question);
    return true;
  }

  /** Somebody waits now for what was read ahead. */
  promote(question: Question, { askedMs, budgetMs }: { askedMs: number; budgetMs: number }): void {
    question.lane = 'demanded';
    question.askedMs = askedMs;
    question.budgetMs = budgetMs;
    this.#speculativeLoad.remove(question);
    this.#demandedLoad.add(question);
    this.#demanded.push(question);
  }

  /** Nobody waits any more for a question that does not run yet. */
  drop(question: Question): void {
    this.#demandedLoad.remove(question);
    question.lane = 'dropped';
    this.close(question);
  }

  dropSpeculative(): void {
    while (this.speculative > 0) {
      for (const question of this.takeSpeculative(this.speculative)) {
        question.lane = 'dropped';
        this.close(question);
      }
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
    return take(this.#demanded, { lane: 'demanded', rows, load: this.#demandedLoad });
  }

  takeSpeculative(rows: number): Question[] {
    return take(this.#speculative, { lane: 'speculative', rows, load: this.#speculativeLoad });
  }

  #openOf({ wantsDetail }: Question): Map<string, Question> {
    return wantsDetail ? this.#openDetails : this.#open;
  }
}

/** What waits in one lane. */
class Load {
  rows = 0;
  chars = 0;

  add({ text }: Question): void {
    this.rows++;
    this.chars += text.length;
  }

  remove({ text }: Question): void {
    this.rows--;
    this.chars -= text.length;
  }
}

/** The first `rows` of a queue that are still in its lane, fewer where they are long. */
function take(
  queue: Fifo<Question>,
  { lane, rows, load }: { lane: Question['lane']; rows: number; load: Load },
): Question[] {
  const taken: Question[] = [];
  for (let chars = 0; taken.length < rows && chars < BATCH_CHARS; ) {
    const question = queue.shift();
    if (question === undefined) break;
    if (question.lane !== lane) continue;
    question.lane = 'running';
    load.remove(question);
    chars += question.text.length;
    taken.push(question);
  }
  return taken;
}

const queueFull = (queued: number): LimitReached =>
  new LimitReached('too many predictions wait for this model', {
    detail: `${queued} are queued`,
    hint: 'Ask again in a moment, with fewer sessions at once.',
  });
