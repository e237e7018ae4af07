import { ShuttingDown } from '../../errors/errors.ts';
import { runsInline } from '../devices/device.ts';
import { answerBatch, type BatcherOptions, type BatcherQueue, modelQueue } from './batch-answer.ts';
import { BatchChoice } from './batch-choice.ts';
import { CONCURRENT_MS, LoneRequests } from './lone-requests.ts';
import type { QueuedRequest, RequestOptions, RequestWaiter } from './queued-request.ts';
import { RequestQueue } from './request-queue.ts';
import { updateSlowness } from './slowness.ts';
import { LONG_SHARE, type QueueBatch, Turns } from './turns.ts';

/** If no event may come, such as with late rows that might make requests late, decide again after this share of the budget. */
const RETRY_SHARE = 0.25;

/** One model's queue: requests enter one by one and leave in batches; equal requests share one computation. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #requests = new RequestQueue();
  readonly #queue: BatcherQueue;
  readonly #turns: Turns;
  readonly #choice: BatchChoice;
  readonly #lone: LoneRequests;
  /** Batches, and those of them that run on the event loop. */
  #running = 0;
  #inline = 0;
  #scheduled = false;
  #companyUntilMs = 0;
  #comingUp = false;
  #cancelTimer: () => void = () => undefined;
  /** While the policy waits: for how many requests, until when, and the first deadline that it knew. */
  #waitsFor: { rows: number; untilMs: number; firstMs: number } | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#queue = modelQueue(options, this.#requests, () => this.#dispatch());
    this.#turns = new Turns(options, this.#queue);
    this.#choice = new BatchChoice({ ...options, queue: this.#queue });
    this.#lone = new LoneRequests({ ...options, queue: this.#queue, choice: this.#choice, turns: this.#turns });
  }

  /**
   * The waiter gets the outcome later, unless it leaves before. Throws if the queue is full or the request cannot be in
   * time.
   */
  ask(input: string, options: RequestOptions, waiter: RequestWaiter): QueuedRequest {
    if (this.#closed)
      throw new ShuttingDown('the model is being replaced or the server stops', { hint: 'Repeat the call.' });
    const nowMs = this.#options.clock.nowMs();
    this.#options.machine.requested(this.#queue, options.role, nowMs);
    this.#turns.requestedBy(options.session, nowMs);
    if (!this.#idle) this.#companyUntilMs = nowMs + CONCURRENT_MS;
    const open = this.#requests.find(input, options.wantsDetail);
    if (open === undefined) {
      this.#queue.rate.arrived(nowMs);
      if (options.isFirm) this.#choice.refuseHopeless(options, nowMs);
    } else this.#requests.join(open, options, waiter);
    const request = open ?? this.#requests.demand(input, options);
    request.waiters.push(waiter);
    if (!this.#options.device.isReady) this.#options.onUnloaded();
    this.#schedule();
    return request;
  }

  /** The answer, if no other request waits or runs and the model is quick enough for the event loop. */
  answerNow(input: string, options: RequestOptions): string | undefined {
    return this.#closed || !this.#idle ? undefined : this.#lone.answer(input, options);
  }

  leave(request: QueuedRequest, waiter: RequestWaiter): void {
    const place = request.waiters.indexOf(waiter);
    if (place < 0) return;
    request.waiters.splice(place, 1);
    if (request.waiters.length === 0) this.#requests.drop(request);
  }

  /** Computes an answer in advance, for a request that will probably come. */
  warm(input: string, role: string): void {
    if (this.#closed || this.isOpen(input)) return;
    if (this.#requests.speculate(input, role)) this.#schedule();
  }

  isOpen(input: string): boolean {
    return this.#requests.find(input, false) !== undefined;
  }

  /** Rows that wait for a batch: those that somebody asked for, and those that are computed in advance. */
  get queued(): { demanded: number; speculative: number } {
    const { demanded, deferred, speculative } = this.#requests;
    return { demanded: demanded + deferred, speculative };
  }

  /** Accepts no more requests, answers the waiting ones, drops the speculative ones. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#requests.dropSpeculative();
    const emptied = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#schedule();
    await emptied;
    this.#options.machine.leave(this.#queue);
  }

  get #idle(): boolean {
    return this.#requests.demanded + this.#requests.deferred + this.#running === 0;
  }

  /**
   * With concurrent requests, dispatch after all readable sockets have been read: their requests form one batch. A lone
   * request does not wait for that (25 µs).
   */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const dispatch = (): void => {
      this.#scheduled = false;
      this.#dispatch({ decidesAnew: false });
    };
    if (this.#options.clock.nowMs() < this.#companyUntilMs) setImmediate(dispatch);
    else queueMicrotask(dispatch);
  }

  /** After a batch or a timer, a decision to wait no longer holds. */
  #dispatch({ decidesAnew } = { decidesAnew: true }): void {
    this.#cancelTimer();
    if (decidesAnew) this.#waitsFor = undefined;
    if (!this.#options.device.isReady && this.#requests.length > 0) {
      this.#loadModel();
      return;
    }
    while (!this.#closed && this.#turns.areTaken ? this.#dispatchTurn() : this.#dispatchDemanded());
    while (this.#requests.deferred + this.#requests.speculative > 0) {
      const requests = this.#idleBatch();
      if (requests.length === 0) break;
      this.#run({ requests, subset: this.#options.fleet.best });
    }
    this.#wakeLater();
    if (this.#idle) this.#onIdle?.();
  }

  #idleBatch(): QueuedRequest[] {
    const rows = this.#choice.canStart ? this.#choice.idleRows() : 0;
    if (rows === 0) return [];
    return !this.#closed && this.#turns.areTaken ? this.#turns.idle(rows) : this.#choice.idleBatch(rows);
  }

  /** The next dispatch if nothing happens before. */
  #wakeLater(): void {
    const { clock, budgetMs } = this.#options;
    const { mustRetry } = this.#choice;
    if (!mustRetry && this.#waitsFor === undefined) return;
    const nowMs = clock.nowMs();
    const retryMs = mustRetry ? nowMs + RETRY_SHARE * budgetMs : Number.POSITIVE_INFINITY;
    const untilMs = Math.min(retryMs, this.#waitsFor?.untilMs ?? Number.POSITIVE_INFINITY);
    if (untilMs < Number.POSITIVE_INFINITY)
      this.#cancelTimer = clock.after(Math.max(1, untilMs - nowMs), () => this.#dispatch());
  }

  /** Whether the policy waits for more requests than have come. */
  get #stillWaits(): boolean {
    if (this.#waitsFor === undefined || !this.#choice.canStart || this.#closed) return false;
    const { rows, firstMs } = this.#waitsFor;
    return this.#requests.demanded < rows && (this.#requests.first()?.deadlineMs ?? 0) >= firstMs;
  }

  /** Requests wait until the model is in memory, or fail with the reason. */
  #loadModel(): void {
    if (this.#comingUp) return;
    this.#comingUp = true;
    const failed = (error: unknown): void => {
      for (const { waiters } of this.#requests.takeAll()) for (const waiter of waiters.splice(0)) waiter.reject(error);
    };
    void this.#options.device
      .open()
      .then(() => undefined, failed)
      .then(() => {
        this.#comingUp = false;
        this.#dispatch();
      });
  }

  /** Runs the batch that the policy chooses now. Returns false if it chooses none, or no slot is free. */
  #dispatchDemanded(): boolean {
    const { device } = this.#options;
    const few = this.#inline === 0 && runsInline(device, this.#requests.queue.peek(device.inlineRows + 1));
    if (this.#requests.demanded === 0 || !(this.#choice.canStart || few) || this.#stillWaits) return false;
    this.#waitsFor = undefined;
    const decision = this.#choice.decide({ few, isClosing: this.#closed });
    if (decision.kind === 'wait') return this.#wait(decision);
    const { subset, from, rows } = decision;
    const owed = this.#choice.spare.owed(rows);
    const batch = [...this.#requests.takeDemanded(from, rows - owed), ...this.#requests.takeDeferred(owed)];
    const inline = this.#inline === 0 && runsInline(device, batch);
    if (!inline) this.#choice.addTo(batch, subset);
    this.#run({ requests: batch, subset }, inline);
    return true;
  }

  /** As {@link #dispatchDemanded}, if roles or sessions take turns. */
  #dispatchTurn(): boolean {
    this.#waitsFor = undefined;
    if (this.#requests.demanded === 0 || !this.#choice.canStart) return false;
    this.#choice.deferLate(this.#choice.state());
    const turn = this.#turns.next(this.#choice.allowedRows(), (queue) => this.#choice.state(queue));
    if (turn === null) return false;
    if (turn.kind === 'wait') return this.#wait({ untilMs: turn.untilMs, rows: 0 });
    const inline = this.#inline === 0 && runsInline(this.#options.device, turn.requests);
    const { spare } = this.#choice;
    const owed = inline ? 0 : spare.owed(turn.requests.length);
    const addable = inline ? 0 : spare.addable(turn.requests, turn.subset);
    const late = this.#turns.lateFor(turn.requests, { owed, addable });
    this.#run({ ...turn, requests: [...turn.requests, ...late] }, inline);
    return true;
  }

  #wait({ untilMs, rows }: { untilMs: number; rows: number }): false {
    const firstMs = this.#requests.first()?.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#waitsFor = { rows, untilMs: this.#choice.nextCheckMs(untilMs), firstMs };
    return false;
  }

  #run({ requests, subset }: QueueBatch, inline = false): void {
    if (requests.length === 0) return;
    const { fleet, budgetMs, clock } = this.#options;
    const queues = this.#options.machine.activeRoles.hasSeveral(clock) ? this.#requests.roleQueuesOf(requests) : [];
    for (const queue of queues) queue.running++;
    const slowness = Math.max(1, ...queues.map((queue) => (queue.isSlow ? queue.slowness : 1)));
    const runMs = slowness * fleet.subsetMs(subset, requests.length);
    const slot = inline ? undefined : this.#options.machine.began(this.#queue, requests, runMs);
    this.#running++;
    if (inline) this.#inline++;
    const running = {
      requests,
      subset,
      onClosed: (request: QueuedRequest): void => this.#requests.close(request),
      onEnded: (ms: number, expectedMs: number): boolean =>
        queues.length === 0 ||
        updateSlowness(queues, { ms, expectedMs, shortMs: LONG_SHARE * budgetMs }, this.#requests.roleQueues),
    };
    void answerBatch(running, this.#options).then((ms) => {
      for (const queue of queues) queue.running--;
      this.#running--;
      if (slot !== undefined) return this.#options.machine.ended(slot, ms);
      this.#inline--;
      this.#dispatch();
    });
  }
}
