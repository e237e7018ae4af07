import { LimitReached, ShuttingDown } from '../errors/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Device } from './device.ts';
import { membersFor, type Verdict, verdictOf } from './ensemble.ts';
import { Fifo } from './fifo.ts';
import { type LatencyModel, largestBatch, measuredSizes } from './latency-model.ts';
import type { Policy } from './policies/policy.ts';

/** Questions that may wait for one model; more are refused (53400). At 10 µs a row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
export const MAX_SPECULATIVE = 8192;
/** A batch of rows that nobody waits for yet must not keep a device from those who do. */
const SPECULATIVE_MS = 10;

export interface Outcome extends Verdict {
  /** Rows of the batch that it was in. */
  batch: number;
  /** Members asked. */
  members: number;
}

export interface Asked {
  text: string;
  budgetMs: number;
  wantsDetail: boolean;
}

/** A question asked: its answer, and a way out for whoever does not want it any more. */
export interface Pending {
  readonly outcome: Promise<Outcome>;
  /** The outcome is not awaited any more, and never settles if it has not yet. */
  leave(): void;
}

interface Question {
  readonly text: string;
  readonly wantsDetail: boolean;
  askedMs: number;
  budgetMs: number;
  lane: 'demanded' | 'speculative' | 'running' | 'dropped';
  /** Who asked; nobody yet for what is read ahead. */
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export interface BatcherOptions {
  device: Device;
  latency: LatencyModel;
  policy: Policy;
  clock: Clock;
  classes: number;
  members: number;
  onBatch(rows: number): void;
  onAnswer(text: string, label: number): void;
}

/** One model's queue: questions go in one by one, leave in batches when the policy says so, equal ones are asked once. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #demanded = new Fifo<Question>();
  readonly #speculative = new Fifo<Question>();
  /** Not yet answered, by text; questions for details apart. */
  readonly #open = new Map<string, Question>();
  readonly #openDetails = new Map<string, Question>();
  #demandedCount = 0;
  #speculativeCount = 0;
  #onThreads = 0;
  #inline = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  ask({ text, budgetMs, wantsDetail }: Asked): Pending {
    const question =
      this.#openQuestion(text, wantsDetail) ?? this.#enter({ text, budgetMs, wantsDetail, lane: 'demanded' });
    if (question.lane === 'speculative') this.#promote(question, budgetMs);
    let leave = (): void => undefined;
    const outcome = new Promise<Outcome>((resolve, reject) => {
      const waiter = { resolve, reject };
      question.waiters.add(waiter);
      leave = () => this.#leave(question, waiter);
    });
    return { outcome, leave };
  }

  /** Computes ahead of a question that will probably come; for nothing if it does not. */
  warm(text: string): void {
    if (this.#closed || this.#speculativeCount >= MAX_SPECULATIVE || this.#open.has(text)) return;
    this.#enter({ text, budgetMs: Number.POSITIVE_INFINITY, wantsDetail: false, lane: 'speculative' });
  }

  isOpen(text: string): boolean {
    return this.#open.has(text);
  }

  get speculativeQueued(): number {
    return this.#speculativeCount;
  }

  /** Takes no more questions, answers those that wait, forgets what was read ahead. */
  async close(): Promise<void> {
    this.#closed = true;
    for (let question = this.#speculative.shift(); question !== undefined; question = this.#speculative.shift()) {
      if (question.lane === 'speculative') this.#drop(question);
    }
    if (this.#demandedCount + this.#onThreads + this.#inline === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#schedule();
    });
  }

  #openQuestion(text: string, wantsDetail: boolean): Question | undefined {
    return wantsDetail ? this.#openDetails.get(text) : this.#open.get(text);
  }

  #enter({ text, budgetMs, wantsDetail, lane }: Asked & { lane: 'demanded' | 'speculative' }): Question {
    if (this.#closed) throw new ShuttingDown('the model is being replaced or the server stops', { hint: 'Ask again.' });
    if (lane === 'demanded' && this.#demandedCount >= MAX_QUEUED) throw queueFull(this.#demandedCount);
    const question: Question = {
      text,
      budgetMs,
      wantsDetail,
      lane,
      askedMs: this.#options.clock.nowMs(),
      waiters: new Set(),
    };
    (wantsDetail ? this.#openDetails : this.#open).set(text, question);
    if (lane === 'demanded') {
      this.#demanded.push(question);
      this.#demandedCount++;
    } else {
      this.#speculative.push(question);
      this.#speculativeCount++;
    }
    this.#schedule();
    return question;
  }

  #promote(question: Question, budgetMs: number): void {
    question.lane = 'demanded';
    question.budgetMs = budgetMs;
    question.askedMs = this.#options.clock.nowMs();
    this.#speculativeCount--;
    this.#demandedCount++;
    this.#demanded.push(question);
    this.#schedule();
  }

  #leave(question: Question, waiter: Waiter): void {
    if (!question.waiters.delete(waiter)) return;
    if (question.waiters.size > 0 || question.lane !== 'demanded') return;
    this.#demandedCount--;
    this.#drop(question);
  }

  #drop(question: Question): void {
    if (question.lane === 'speculative') this.#speculativeCount--;
    question.lane = 'dropped';
    this.#forget(question);
  }

  #forget(question: Question): void {
    (question.wantsDetail ? this.#openDetails : this.#open).delete(question.text);
  }

  /** After the sockets that are readable now have been read: what they ask goes into one batch. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    clearTimeout(this.#timer);
    while (this.#demandedCount > 0) {
      const { device } = this.#options;
      const rows = this.#decide();
      if (rows === 0) return;
      const inline = rows <= device.inlineRows && this.#inline === 0;
      if (!inline && this.#onThreads >= device.slots) return;
      this.#run(this.#take(rows), inline);
    }
    while (this.#speculativeCount > 0 && this.#onThreads < this.#options.device.slots) this.#run(this.#take(0), false);
    if (this.#demandedCount + this.#onThreads + this.#inline === 0) this.#onIdle?.();
  }

  /** Rows to dispatch, or 0 when the policy waits. */
  #decide(): number {
    const { clock, latency, policy } = this.#options;
    const oldest = this.#oldest();
    if (oldest === undefined) return 0;
    if (this.#closed) return Math.min(this.#demandedCount, largestBatch);
    const decision = policy.decide({
      queued: this.#demandedCount,
      waitedMs: clock.nowMs() - oldest.askedMs,
      budgetMs: oldest.budgetMs,
      running: this.#onThreads + this.#inline,
      sizes: measuredSizes,
      latencyMs: (rows) => latency.predict(rows),
    });
    if (decision.kind === 'dispatch') return Math.max(1, decision.rows);
    this.#timer = setTimeout(() => this.#dispatch(), Math.max(1, decision.ms));
    return 0;
  }

  #oldest(): Question | undefined {
    while (this.#demanded.peek()?.lane === 'dropped') this.#demanded.shift();
    return this.#demanded.peek();
  }

  /** The oldest `rows` that somebody waits for, then rows read ahead as far as they keep the batch short. */
  #take(rows: number): Question[] {
    const batch: Question[] = [];
    while (batch.length < rows) {
      const question = this.#demanded.shift();
      if (question === undefined) break;
      if (question.lane !== 'demanded') continue;
      question.lane = 'running';
      this.#demandedCount--;
      batch.push(question);
    }
    if (batch.length > 0 && batch.length <= this.#options.device.inlineRows) return batch;
    const room = this.#speculativeRows();
    while (batch.length < room && this.#speculativeCount > 0) {
      const question = this.#speculative.shift();
      if (question === undefined) break;
      if (question.lane !== 'speculative') continue;
      question.lane = 'running';
      this.#speculativeCount--;
      batch.push(question);
    }
    return batch;
  }

  #speculativeRows(): number {
    const { latency } = this.#options;
    return latency.rowsWithin(Math.max(SPECULATIVE_MS, 4 * latency.predict(1)));
  }

  #run(batch: Question[], inline: boolean): void {
    if (batch.length === 0) return;
    if (inline) this.#inline++;
    else this.#onThreads++;
    void this.#answer(batch).finally(() => {
      if (inline) this.#inline--;
      else this.#onThreads--;
      this.#dispatch();
    });
  }

  async #answer(batch: readonly Question[]): Promise<void> {
    const { device, latency, clock, classes, members, onBatch, onAnswer } = this.#options;
    const wantsDetail = batch.some((question) => question.wantsDetail);
    const asked = membersFor(members, wantsDetail);
    const startedMs = clock.nowMs();
    try {
      const outputs = await device.run(
        batch.map((question) => question.text),
        asked,
      );
      const ms = clock.nowMs() - startedMs;
      if (!wantsDetail) latency.observe(batch.length, ms); // details ask more members than c(b) is kept for
      onBatch(batch.length);
      batch.forEach((question, row) => {
        this.#forget(question);
        const verdict = verdictOf(outputs, row, classes);
        onAnswer(question.text, verdict.label);
        const outcome = { ...verdict, batch: batch.length, members: asked };
        for (const waiter of question.waiters) waiter.resolve(outcome);
      });
    } catch (error) {
      for (const question of batch) {
        this.#forget(question);
        for (const waiter of question.waiters) waiter.reject(error);
      }
    }
  }
}

const queueFull = (queued: number): LimitReached =>
  new LimitReached('too many predictions wait for this model', {
    detail: `${queued} are queued`,
    hint: 'Ask again in a moment, with fewer sessions at once.',
  });
