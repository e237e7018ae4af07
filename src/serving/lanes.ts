import { DeadlineMissed, LimitReached } from '../errors/errors.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Verdict } from './ensemble.ts';
import { Fifo } from './fifo.ts';
import type { QueueView } from './policies/policy.ts';

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
  /** By when its first asker wants the answer, and how long he gave it, ms. */
  deadlineMs: number;
  budgetMs: number;
  /** Whether nobody wants a late answer. */
  isFirm: boolean;
  /** Whose share of the queue it takes. */
  session: object;
  lane: 'demanded' | 'deferred' | 'speculative' | 'running' | 'dropped';
  /** Who asked; nobody yet for what is read ahead. */
  readonly waiters: Set<Waiter>;
}

export type NewQuestion = Pick<Question, 'text' | 'wantsDetail' | 'deadlineMs' | 'budgetMs' | 'isFirm' | 'session'>;

/** Whose rows read ahead are: nobody's. */
const nobody = {};

/**
 * The questions of one model that have no answer yet: those that somebody waits for, the earliest deadline first; those
 * that are late anyway, which must not make others late; and those that were read ahead. A question that leaves one of the
 * last two stays there as well, and is passed over.
 */
export class Lanes {
  readonly #demanded = new DeadlineQueue<Question>();
  readonly #deferred = new Fifo<Question>();
  readonly #speculative = new Fifo<Question>();
  /** By text, the running ones too; questions for details apart. */
  readonly #open = new Map<string, Question>();
  readonly #openDetails = new Map<string, Question>();
  readonly #waitingLoad = new Load();
  readonly #speculativeLoad = new Load();
  readonly #bySession = new Map<object, number>();
  #deferredCount = 0;

  /** Those who can still be answered in time, for the policy. */
  get queue(): QueueView {
    return this.#demanded;
  }

  get demanded(): number {
    return this.#demanded.length;
  }

  get deferred(): number {
    return this.#deferredCount;
  }

  get speculative(): number {
    return this.#speculativeLoad.rows;
  }

  first(): Question | undefined {
    return this.#demanded.at(0);
  }

  find(text: string, wantsDetail: boolean): Question | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(text);
  }

  demand(asked: NewQuestion): Question {
    this.#makeRoom(asked.session);
    const question: Question = { ...asked, lane: 'demanded', waiters: new Set() };
    this.#openOf(question).set(question.text, question);
    this.#demanded.insert(question);
    this.#count(question);
    return question;
  }

  /** False where there is no room for a row read ahead. */
  speculate(text: string): boolean {
    const load = this.#speculativeLoad;
    if (load.rows >= MAX_SPECULATIVE || load.chars >= MAX_SPECULATIVE_CHARS) return false;
    const never = { deadlineMs: Number.POSITIVE_INFINITY, budgetMs: Number.POSITIVE_INFINITY, isFirm: false };
    const question: Question = {
      ...never,
      text,
      wantsDetail: false,
      session: nobody,
      lane: 'speculative',
      waiters: new Set(),
    };
    this.#openOf(question).set(question.text, question);
    this.#speculative.push(question);
    load.add(question);
    return true;
  }

  /** Somebody asks what is open already. */
  join(question: Question, { deadlineMs, budgetMs, isFirm, session }: NewQuestion): void {
    if (question.lane === 'speculative') {
      Object.assign(question, { lane: 'demanded', deadlineMs, budgetMs, isFirm, session });
      this.#speculativeLoad.remove(question);
      this.#count(question);
      this.#demanded.insert(question);
      return;
    }
    question.isFirm &&= isFirm;
    if (question.lane !== 'demanded' || deadlineMs >= question.deadlineMs) return;
    this.#demanded.remove(question);
    question.deadlineMs = deadlineMs;
    this.#demanded.insert(question);
  }

  /** Nobody waits any more for a question that does not run yet. */
  drop(question: Question): void {
    if (question.lane === 'demanded') this.#demanded.remove(question);
    else if (question.lane === 'deferred') this.#deferredCount--;
    else return;
    this.#uncount(question);
    question.lane = 'dropped';
    this.close(question);
  }

  /** The first so many are late whatever is done: gives those that nobody wants then, and puts off the others. */
  setAside(count: number): Question[] {
    const refused: Question[] = [];
    for (const question of this.#demanded.take(0, count)) {
      if (question.isFirm) {
        this.#uncount(question);
        question.lane = 'dropped';
        this.close(question);
        refused.push(question);
      } else {
        question.lane = 'deferred';
        this.#deferred.push(question);
        this.#deferredCount++;
      }
    }
    return refused;
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

  takeDemanded(from: number, rows: number): Question[] {
    let chars = 0;
    const taken = this.#demanded.take(from, rows, ({ text }) => {
      const fits = chars < BATCH_CHARS;
      chars += text.length;
      return fits;
    });
    for (const question of taken) {
      question.lane = 'running';
      this.#uncount(question);
    }
    return taken;
  }

  takeDeferred(rows: number): Question[] {
    const taken = take(this.#deferred, 'deferred', rows);
    this.#deferredCount -= taken.length;
    for (const question of taken) this.#uncount(question);
    return taken;
  }

  takeSpeculative(rows: number): Question[] {
    const taken = take(this.#speculative, 'speculative', rows);
    for (const question of taken) this.#speculativeLoad.remove(question);
    return taken;
  }

  /** A full queue is shared evenly: who has less than his part of it takes a place from who has most. */
  #makeRoom(session: object): void {
    const { rows, chars } = this.#waitingLoad;
    if (rows < MAX_QUEUED && chars < MAX_QUEUED_CHARS) return;
    const own = this.#bySession.get(session) ?? 0;
    const sessions = this.#bySession.size + (own === 0 ? 1 : 0);
    if (own >= Math.floor(MAX_QUEUED / sessions)) throw queueFull(rows);
    const greedy = [...this.#bySession].reduce((most, next) => (next[1] > most[1] ? next : most))[0];
    for (let place = this.#demanded.length - 1; place >= 0; place--) {
      const question = this.#demanded.at(place);
      if (question?.session !== greedy) continue;
      this.drop(question);
      for (const waiter of question.waiters) waiter.reject(queueFull(rows));
      return;
    }
    throw queueFull(rows);
  }

  #count(question: Question): void {
    this.#waitingLoad.add(question);
    this.#bySession.set(question.session, (this.#bySession.get(question.session) ?? 0) + 1);
  }

  #uncount(question: Question): void {
    this.#waitingLoad.remove(question);
    const left = (this.#bySession.get(question.session) ?? 0) - 1;
    if (left > 0) this.#bySession.set(question.session, left);
    else this.#bySession.delete(question.session);
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
function take(queue: Fifo<Question>, lane: Question['lane'], rows: number): Question[] {
  const taken: Question[] = [];
  for (let chars = 0; taken.length < rows && chars < BATCH_CHARS; ) {
    const question = queue.shift();
    if (question === undefined) break;
    if (question.lane !== lane) continue;
    question.lane = 'running';
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

/** It is known already that no answer can be there in time. */
export const cannotBeInTime = (budgetMs: number, retryMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction cannot be answered within its latency budget', {
    detail: `More is asked than the server can answer in ${round(budgetMs)} ms.`,
    hint: `Ask again in ${Math.max(1, Math.ceil(retryMs))} ms, raise rafiki.latency_budget, or take late answers: set rafiki.on_overdue = 'answer'.`,
  });

const round = (ms: number): number => Number(ms.toFixed(1));
