import { DeadlineQueue } from './deadline-queue.ts';
import { Fifo } from './fifo.ts';
import type { QueueView } from './policies/policy.ts';
import {
  type QuestionTerms,
  type QueuedRequest,
  QueueLoad,
  queueFull,
  type RoleShare,
  type WaitingLane,
} from './queued-question.ts';
import { BATCH_CHARS, type PickOptions, Shares } from './shares.ts';

/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
const MAX_SPECULATIVE = 8192;
/** And so many characters: images are long. */
const MAX_SPECULATIVE_CHARS = 64 * 1024 * 1024;

/** In whose session rows are read ahead: in nobody's. */
const nobody = {};
/** Where so many more have left a queue than wait in it, these are cleared out. */
const SLACK = 1024;
/** Of a few, each is taken out of the queue by itself. */
const FEW = 8;

/**
 * The questions of one model that have no answer yet: those that somebody waits for, the earliest deadline first; those
 * that are late anyway, which must not make others late; and those that were read ahead. A question that leaves one of the
 * last two stays there as well, and is passed over.
 */
export class Lanes {
  readonly #demanded = new DeadlineQueue<QueuedRequest>();
  readonly #deferred = new Fifo<QueuedRequest>();
  readonly #speculative = new Fifo<QueuedRequest>();
  /** By text, the running ones too; questions for details apart. */
  readonly #open = new Map<string, QueuedRequest>();
  readonly #openDetails = new Map<string, QueuedRequest>();
  readonly #shares = new Shares();
  readonly #speculativeLoad = new QueueLoad();
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

  /** What is known of each role. */
  get roles(): Iterable<RoleShare> {
    return this.#shares.known;
  }

  roleOf(role: string): RoleShare {
    return this.#shares.roleOf(role);
  }

  /** Whose rows come next of those that were read ahead. */
  get nextSpeculative(): string | undefined {
    this.#speculative.dropWhile(({ lane }) => lane !== 'speculative');
    return this.#speculative.peek()?.role;
  }

  get length(): number {
    return this.demanded + this.deferred + this.speculative;
  }

  first(): QueuedRequest | undefined {
    return this.#demanded.at(0);
  }

  find(text: string, wantsDetail: boolean): QueuedRequest | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(text);
  }

  demand(text: string, terms: QuestionTerms): QueuedRequest {
    this.#makeRoom(terms);
    const question = newQuestion(text, terms, 'demanded');
    this.#openOf(question).set(question.text, question);
    this.#demanded.insert(question);
    this.#shares.add(question, 'demanded');
    return question;
  }

  /** False where there is no room for a row read ahead. */
  speculate(text: string, role: string): boolean {
    const load = this.#speculativeLoad;
    if (load.rows >= MAX_SPECULATIVE || load.chars >= MAX_SPECULATIVE_CHARS) return false;
    const never = Number.POSITIVE_INFINITY;
    const terms = { wantsDetail: false, deadlineMs: never, budgetMs: never, isFirm: false, role, session: nobody };
    const question = newQuestion(text, terms, 'speculative');
    this.#openOf(question).set(question.text, question);
    this.#speculative.push(question);
    load.add(question);
    return true;
  }

  /** How many of the rows that are due before come before a new one of this role, where each role has its turn. */
  before(role: string, due: number): number {
    const own = this.#shares.rowsOf(role);
    return Math.min(due, (own + 1) * this.#shares.waiting.length);
  }

  /** Somebody asks what is open already. */
  join(question: QueuedRequest, terms: QuestionTerms): void {
    const { deadlineMs, isFirm } = terms;
    if (question.lane === 'speculative') {
      this.#speculativeLoad.remove(question);
      this.#demandBy(question, terms);
      return;
    }
    question.isFirm &&= isFirm;
    const moves = this.#comesSooner(question, terms);
    if (question.lane === 'deferred' && moves) {
      this.#deferredCount--;
      this.#shares.takeOut(question, 'deferred');
      this.#demandBy(question, { ...terms, isFirm: question.isFirm });
    } else if (question.lane === 'demanded' && (moves || deadlineMs < question.deadlineMs)) {
      this.#demanded.remove(question);
      this.#shares.takeOut(question, 'demanded');
      const { role, session } = moves ? terms : question;
      this.#demandBy(question, { ...question, role, session, deadlineMs: Math.min(deadlineMs, question.deadlineMs) });
    }
  }

  /** In another role's place, which has more before it. */
  #comesSooner({ role }: QueuedRequest, terms: QuestionTerms): boolean {
    return terms.role !== role && this.#shares.rowsOf(terms.role) < this.#shares.rowsOf(role);
  }

  #demandBy(question: QueuedRequest, { deadlineMs, budgetMs, isFirm, role, session }: QuestionTerms): void {
    question.lane = 'demanded';
    question.deadlineMs = deadlineMs;
    question.budgetMs = budgetMs;
    question.isFirm = isFirm;
    question.role = role;
    question.session = session;
    this.#shares.add(question, 'demanded');
    this.#demanded.insert(question);
  }

  /** Nobody waits any more for a question that does not run yet. */
  drop(question: QueuedRequest): void {
    if (question.lane === 'demanded') this.#demanded.remove(question);
    else if (question.lane === 'deferred') this.#deferredCount--;
    else return;
    this.#shares.remove(question, question.lane);
    question.lane = 'dropped';
    this.close(question);
  }

  /** The first so many are late whatever is done: gives those that nobody wants then, and puts off the others. */
  setAside(count: number): QueuedRequest[] {
    const refused: QueuedRequest[] = [];
    for (const question of this.#demanded.take(0, count)) {
      if (question.isFirm) {
        this.#shares.remove(question, 'demanded');
        question.lane = 'dropped';
        this.close(question);
        refused.push(question);
      } else {
        question.lane = 'deferred';
        this.#shares.move(question, 'demanded', 'deferred');
        this.#deferred.push(question);
        this.#deferredCount++;
      }
    }
    if (this.#deferred.length > 2 * this.#deferredCount + SLACK)
      this.#deferred.keepOnly(({ lane }) => lane === 'deferred');
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
  close(question: QueuedRequest): void {
    this.#openOf(question).delete(question.text);
  }

  /** Everybody, where nobody can be answered. */
  takeAll(): QueuedRequest[] {
    const taken: QueuedRequest[] = [];
    while (this.demanded > 0) taken.push(...this.takeDemanded(0, this.demanded));
    while (this.deferred > 0) taken.push(...this.takeDeferred(this.deferred));
    for (const question of taken) this.close(question);
    this.dropSpeculative();
    return taken;
  }

  takeDemanded(from: number, rows: number): QueuedRequest[] {
    let chars = 0;
    const taken = this.#demanded.take(from, rows, ({ text }) => {
      const fits = chars < BATCH_CHARS;
      chars += text.length;
      return fits;
    });
    for (const question of taken) {
      question.lane = 'running';
      this.#shares.remove(question, 'demanded');
    }
    return taken;
  }

  takeDeferred(rows: number): QueuedRequest[] {
    const taken = take(this.#deferred, 'deferred', rows);
    this.#deferredCount -= taken.length;
    for (const question of taken) this.#shares.remove(question, 'deferred');
    return taken;
  }

  /** Whose turn it is, by role and session. */
  turns(options: PickOptions): QueuedRequest[] {
    return this.#shares.pick(options);
  }

  /** Takes what {@link turns} gave, or some of it, in its order. */
  takeTurns(questions: readonly QueuedRequest[], lane: WaitingLane): void {
    for (const question of questions) question.lane = 'running';
    this.#shares.began(questions, lane);
    if (lane === 'deferred') this.#deferredCount -= questions.length;
    else if (questions.length <= FEW) for (const question of questions) this.#demanded.remove(question);
    else this.#demanded.keepOnly((question) => question.lane === 'demanded');
  }

  /** With `ofOneRole`, as many as come from the same role one after another. */
  takeSpeculative(rows: number, ofOneRole = false): QueuedRequest[] {
    const taken = take(this.#speculative, 'speculative', rows, ofOneRole);
    for (const question of taken) this.#speculativeLoad.remove(question);
    return taken;
  }

  /** A full queue is shared evenly: who has less than his part of it takes a place from who has most. */
  #makeRoom({ role, session }: QuestionTerms): void {
    if (!this.#shares.isFull) return;
    const greedy = this.#shares.mostGreedy(role, session);
    const last = greedy === null ? undefined : this.#shares.lastOf(greedy);
    if (last === undefined) throw queueFull(this.#shares.rows);
    this.drop(last);
    for (const waiter of last.waiters.splice(0)) waiter.reject(queueFull(this.#shares.rows));
  }

  #openOf({ wantsDetail }: QueuedRequest): Map<string, QueuedRequest> {
    return wantsDetail ? this.#openDetails : this.#open;
  }
}

/** Field by field: objects that are put together by spreading cost several times as much, and there is one for each row. */
function newQuestion(text: string, terms: QuestionTerms, lane: QueuedRequest['lane']): QueuedRequest {
  const { wantsDetail, deadlineMs, budgetMs, isFirm, role, session } = terms;
  return { text, wantsDetail, deadlineMs, budgetMs, isFirm, role, session, part: null, lane, waiters: [] };
}

/** The first `rows` of a queue that are still in its lane, fewer where they are long. */
function take(
  queue: Fifo<QueuedRequest>,
  lane: QueuedRequest['lane'],
  rows: number,
  ofOneRole = false,
): QueuedRequest[] {
  const taken: QueuedRequest[] = [];
  for (let chars = 0; taken.length < rows && chars < BATCH_CHARS; ) {
    const next = queue.peek();
    if (ofOneRole && next?.lane === lane && next.role !== (taken[0] ?? next).role) break;
    const question = queue.shift();
    if (question === undefined) break;
    if (question.lane !== lane) continue;
    question.lane = 'running';
    chars += question.text.length;
    taken.push(question);
  }
  return taken;
}
