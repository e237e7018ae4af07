import { DeadlineQueue } from './deadline-queue.ts';
import { Fifo } from './fifo.ts';
import type { QueueView } from './policies/policy.ts';
import { type Part, type Question, type QuestionTerms, queueFull } from './queued-question.ts';
import { Load, Shares } from './shares.ts';

/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
const MAX_SPECULATIVE = 8192;
/** And so many characters: images are long. */
const MAX_SPECULATIVE_CHARS = 64 * 1024 * 1024;
/** A batch is cut off at so many characters: it may be posted to a thread as one string. */
const BATCH_CHARS = 32 * 1024 * 1024;

/** Whose rows read ahead are: nobody's. */
const nobody = {};
const noPart: Part = { rows: 0 };

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
  readonly #shares = new Shares();
  readonly #speculativeLoad = new Load();
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

  get length(): number {
    return this.demanded + this.deferred + this.speculative;
  }

  first(): Question | undefined {
    return this.#demanded.at(0);
  }

  find(text: string, wantsDetail: boolean): Question | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(text);
  }

  demand(text: string, terms: QuestionTerms): Question {
    this.#makeRoom(terms.session);
    const question = newQuestion(text, terms, 'demanded');
    this.#openOf(question).set(question.text, question);
    this.#demanded.insert(question);
    this.#shares.add(question);
    return question;
  }

  /** False where there is no room for a row read ahead. */
  speculate(text: string): boolean {
    const load = this.#speculativeLoad;
    if (load.rows >= MAX_SPECULATIVE || load.chars >= MAX_SPECULATIVE_CHARS) return false;
    const never = Number.POSITIVE_INFINITY;
    const terms = { wantsDetail: false, deadlineMs: never, budgetMs: never, isFirm: false, session: nobody };
    const question = newQuestion(text, terms, 'speculative');
    this.#openOf(question).set(question.text, question);
    this.#speculative.push(question);
    load.add(question);
    return true;
  }

  /** Somebody asks what is open already. */
  join(question: Question, { deadlineMs, budgetMs, isFirm, session }: QuestionTerms): void {
    if (question.lane === 'speculative') {
      question.lane = 'demanded';
      question.deadlineMs = deadlineMs;
      question.budgetMs = budgetMs;
      question.isFirm = isFirm;
      question.session = session;
      this.#speculativeLoad.remove(question);
      this.#shares.add(question);
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
    this.#shares.remove(question);
    question.lane = 'dropped';
    this.close(question);
  }

  /** The first so many are late whatever is done: gives those that nobody wants then, and puts off the others. */
  setAside(count: number): Question[] {
    const refused: Question[] = [];
    for (const question of this.#demanded.take(0, count)) {
      if (question.isFirm) {
        this.#shares.remove(question);
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

  /** Everybody, where nobody can be answered. */
  takeAll(): Question[] {
    const taken: Question[] = [];
    while (this.demanded > 0) taken.push(...this.takeDemanded(0, this.demanded));
    while (this.deferred > 0) taken.push(...this.takeDeferred(this.deferred));
    for (const question of taken) this.close(question);
    this.dropSpeculative();
    return taken;
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
      this.#shares.remove(question);
    }
    return taken;
  }

  takeDeferred(rows: number): Question[] {
    const taken = take(this.#deferred, 'deferred', rows);
    this.#deferredCount -= taken.length;
    for (const question of taken) this.#shares.remove(question);
    return taken;
  }

  takeSpeculative(rows: number): Question[] {
    const taken = take(this.#speculative, 'speculative', rows);
    for (const question of taken) this.#speculativeLoad.remove(question);
    return taken;
  }

  /** A full queue is shared evenly: who has less than his part of it takes a place from who has most. */
  #makeRoom(session: object): void {
    if (!this.#shares.isFull) return;
    const greedy = this.#shares.mostGreedy(session);
    for (let place = this.#demanded.length - 1; greedy !== null && place >= 0; place--) {
      const question = this.#demanded.at(place);
      if (question?.session !== greedy) continue;
      this.drop(question);
      for (const waiter of question.waiters.splice(0)) waiter.reject(queueFull(this.#shares.rows));
      return;
    }
    throw queueFull(this.#shares.rows);
  }

  #openOf({ wantsDetail }: Question): Map<string, Question> {
    return wantsDetail ? this.#openDetails : this.#open;
  }
}

/** Field by field: objects that are put together by spreading cost several times as much, and there is one for each row. */
function newQuestion(text: string, terms: QuestionTerms, lane: Question['lane']): Question {
  const { wantsDetail, deadlineMs, budgetMs, isFirm, session } = terms;
  return { text, wantsDetail, deadlineMs, budgetMs, isFirm, session, part: noPart, lane, waiters: [] };
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
