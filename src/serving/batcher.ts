import { BadData, ShuttingDown } from '../errors/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Device } from './device.ts';
import { type Judge, membersFor } from './ensemble.ts';
import { Lanes, type Outcome, type Question, type Waiter } from './lanes.ts';
import { type LatencyModel, largestBatch, measuredSizes } from './latency-model.ts';
import type { Policy } from './policies/policy.ts';

/** So long after a question met another one, more are expected to come together. */
const COMPANY_MS = 100;
/** A batch of rows that nobody waits for yet must not keep a device for longer from those who do. */
const SPECULATIVE_MS = 10;

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

export interface BatcherOptions {
  device: Device;
  latency: LatencyModel;
  policy: Policy;
  clock: Clock;
  judge: Judge;
  members: number;
  onBatch(rows: number): void;
  onAnswer(text: string, answer: string): void;
}

/** One model's queue: questions go in one by one, leave in batches when the policy says so, equal ones are asked once. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #lanes = new Lanes();
  #onThreads = 0;
  #inline = 0;
  #scheduled = false;
  #companyUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  ask({ text, budgetMs, wantsDetail }: Asked): Pending {
    if (this.#closed) throw new ShuttingDown('the model is being replaced or the server stops', { hint: 'Ask again.' });
    const askedMs = this.#options.clock.nowMs();
    if (!this.#idle) this.#companyUntilMs = askedMs + COMPANY_MS;
    const question =
      this.#lanes.find(text, wantsDetail) ?? this.#lanes.demand({ text, wantsDetail, askedMs, budgetMs });
    if (question.lane === 'speculative') this.#lanes.promote(question, { askedMs, budgetMs });
    this.#schedule();
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
    if (this.#closed || this.isOpen(text)) return;
    const askedMs = this.#options.clock.nowMs();
    const entered = this.#lanes.speculate({ text, wantsDetail: false, askedMs, budgetMs: Number.POSITIVE_INFINITY });
    if (entered) this.#schedule();
  }

  isOpen(text: string): boolean {
    return this.#lanes.find(text, false) !== undefined;
  }

  get speculativeQueued(): number {
    return this.#lanes.speculative;
  }

  /** Takes no more questions, answers those that wait, forgets what was read ahead. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#lanes.dropSpeculative();
    if (this.#idle) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#schedule();
    });
  }

  get #idle(): boolean {
    return this.#lanes.demanded + this.#onThreads + this.#inline === 0;
  }

  #leave(question: Question, waiter: Waiter): void {
    if (!question.waiters.delete(waiter)) return;
    if (question.waiters.size === 0 && question.lane === 'demanded') this.#lanes.drop(question);
  }

  /**
   * With company, after the sockets that are readable now have been read: what they ask goes into one batch. A lone
   * question does not wait for that (25 µs).
   */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const dispatch = (): void => {
      this.#scheduled = false;
      this.#dispatch();
    };
    if (this.#options.clock.nowMs() < this.#companyUntilMs) setImmediate(dispatch);
    else queueMicrotask(dispatch);
  }

  #dispatch(): void {
    const { device } = this.#options;
    clearTimeout(this.#timer);
    while (this.#lanes.demanded > 0) {
      const rows = this.#decide();
      if (rows === 0) return;
      const inline = rows <= device.inlineRows && this.#inline === 0;
      if (!inline && this.#onThreads >= device.slots) return;
      const demanded = this.#lanes.takeDemanded(rows);
      // An inline batch stays tiny; any other is filled up with rows read ahead, as far as that keeps it short.
      const room = inline ? 0 : this.#speculativeRows() - demanded.length;
      this.#run([...demanded, ...this.#lanes.takeSpeculative(room)], inline);
    }
    while (this.#lanes.speculative > 0 && this.#onThreads < device.slots) {
      this.#run(this.#lanes.takeSpeculative(this.#speculativeRows()), false);
    }
    if (this.#idle) this.#onIdle?.();
  }

  /** Rows to dispatch, or 0 when the policy waits. */
  #decide(): number {
    const { clock, latency, policy } = this.#options;
    const oldest = this.#lanes.oldest();
    if (oldest === undefined) return 0;
    if (this.#closed) return Math.min(this.#lanes.demanded, largestBatch);
    const decision = policy.decide({
      queued: this.#lanes.demanded,
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

  #speculativeRows(): number {
    const { latency } = this.#options;
    return latency.rowsWithin(Math.max(SPECULATIVE_MS, 4 * latency.predict(1)));
  }

  #run(batch: readonly Question[], inline: boolean): void {
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
    const { device, latency, clock, judge, members, onBatch, onAnswer } = this.#options;
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
        this.#lanes.close(question);
        const verdict = judge(outputs, row, batch.length);
        onAnswer(question.text, verdict.answer);
        const outcome = { ...verdict, batch: batch.length, members: asked };
        for (const waiter of question.waiters) waiter.resolve(outcome);
      });
    } catch (error) {
      if (error instanceof BadData && batch.length > 1) {
        // a broken image fails its own call only: halving finds it
        const half = batch.length >> 1;
        await this.#answer(batch.slice(0, half));
        await this.#answer(batch.slice(half));
        return;
      }
      for (const question of batch) {
        this.#lanes.close(question);
        for (const waiter of question.waiters) waiter.reject(error);
      }
    }
  }
}
