import { ShuttingDown } from '../../errors/errors.ts';
import { ArrivalRate } from './arrival-rate.ts';
import { answerBatch, type BatcherOptions, workOf } from './batch-answer.ts';
import { BatchChoice } from './batch-choice.ts';
import type { QueuedRequest, RequestOptions, RequestWaiter } from './queued-request.ts';
import { RequestQueue } from './request-queue.ts';
import { Slots } from './slots.ts';
import { updateSlowness } from './slowness.ts';
import { LONG_SHARE, type QueueBatch, Turns } from './turns.ts';

/** After two requests waited together, more are expected to for this long. */
const CONCURRENT_MS = 100;
/** An idle device with late rows that might make requests late decides again after this share of the budget. */
const RETRY_SHARE = 0.25;
/** One model's queue: requests enter one by one and leave in batches; equal requests share one computation. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #requests = new RequestQueue();
  readonly #turns: Turns;
  readonly #slots: Slots;
  readonly #rate: ArrivalRate;
  readonly #choice: BatchChoice;
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
    this.#turns = new Turns(options, this.#requests);
    this.#slots = new Slots(options.device.slots);
    this.#rate = new ArrivalRate(options.budgetMs);
    this.#choice = new BatchChoice({ ...options, requests: this.#requests, slots: this.#slots, rate: this.#rate });
  }

  /**
   * The waiter gets the outcome later, unless it leaves before. Throws if the queue is full or the request cannot be in
   * time.
   */
  ask(input: string, options: RequestOptions, waiter: RequestWaiter): QueuedRequest {
    if (this.#closed)
      throw new ShuttingDown('the model is being replaced or the server stops', { hint: 'Repeat the call.' });
    const nowMs = this.#options.clock.nowMs();
    this.#options.activeRoles.requested(options.role, nowMs);
    if (!this.#idle) this.#companyUntilMs = nowMs + CONCURRENT_MS;
    const open = this.#requests.find(input, options.wantsDetail);
    if (open === undefined) {
      this.#rate.arrived(nowMs);
      if (options.isFirm) this.#choice.refuseHopeless(options, nowMs);
    } else this.#requests.join(open, options);
    const request = open ?? this.#requests.demand(input, options);
    request.waiters.push(waiter);
    if (!this.#options.device.isReady) this.#options.onUnloaded();
    this.#schedule();
    return request;
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

  get speculativeQueued(): number {
    return this.#requests.speculative;
  }

  /** Accepts no more requests, answers the waiting ones, drops the speculative ones. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#requests.dropSpeculative();
    if (this.#idle) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#schedule();
    });
  }

  get #idle(): boolean {
    return this.#requests.demanded + this.#requests.deferred + this.#slots.taken + this.#inline === 0;
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
    while (this.#isShared ? this.#dispatchTurn() : this.#dispatchDemanded());
    while (this.#requests.deferred + this.#requests.speculative > 0) {
      const requests = this.#idleBatch();
      if (requests.length === 0) break;
      this.#run({ requests, subset: this.#options.fleet.best });
    }
    this.#wakeLater();
    if (this.#idle) this.#onIdle?.();
  }

  #idleBatch(): QueuedRequest[] {
    const { anyFree } = this.#slots;
    if (!anyFree && !(this.#isShared && this.#options.clock.nowMs() >= this.#turns.jumpsFromMs(this.#slots))) return [];
    const rows = this.#choice.idleRows();
    if (rows === 0) return [];
    return this.#isShared ? this.#turns.idle(rows, anyFree) : this.#choice.idleBatch(rows);
  }

  /** The next dispatch if nothing happens before. */
  #wakeLater(): void {
    const { clock, budgetMs } = this.#options;
    const isIdle = this.#requests.deferred + this.#requests.speculative > 0 && this.#slots.taken === 0;
    const isBusy = this.#requests.demanded + this.#requests.deferred > 0 && !this.#slots.anyFree;
    if (!isIdle && !isBusy && this.#waitsFor === undefined) return;
    const nowMs = clock.nowMs();
    let untilMs = this.#waitsFor?.untilMs ?? Number.POSITIVE_INFINITY;
    if (isIdle) untilMs = Math.min(untilMs, nowMs + RETRY_SHARE * budgetMs);
    const jumpsFromMs = isBusy && this.#isShared ? this.#turns.jumpsFromMs(this.#slots) : 0;
    if (jumpsFromMs > nowMs) untilMs = Math.min(untilMs, jumpsFromMs);
    if (untilMs < Number.POSITIVE_INFINITY)
      this.#cancelTimer = clock.after(Math.max(1, untilMs - nowMs), () => this.#dispatch());
  }

  /** Whether the policy waits for more requests than have come. */
  get #stillWaits(): boolean {
    if (this.#waitsFor === undefined || !this.#slots.anyFree || this.#closed) return false;
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
    const few = this.#requests.demanded <= device.inlineRows && this.#inline === 0;
    if (this.#requests.demanded === 0 || !(this.#slots.anyFree || few) || this.#stillWaits) return false;
    this.#waitsFor = undefined;
    const decision = this.#choice.decide({ few, isClosing: this.#closed });
    if (decision.kind === 'wait') return this.#wait(decision);
    const { subset, from, rows } = decision;
    const owed = this.#choice.spare.owed(rows);
    const batch = [...this.#requests.takeDemanded(from, rows - owed), ...this.#requests.takeDeferred(owed)];
    const inline = batch.length <= device.inlineRows && this.#inline === 0;
    if (!inline) this.#choice.addTo(batch, subset);
    this.#run({ requests: batch, subset }, inline);
    return true;
  }

  /** As {@link #dispatchDemanded}, if several roles are active. */
  #dispatchTurn(): boolean {
    this.#waitsFor = undefined;
    if (this.#requests.demanded === 0) return false;
    const nowMs = this.#options.clock.nowMs();
    const { anyFree } = this.#slots;
    if (!anyFree && nowMs < this.#turns.jumpsFromMs(this.#slots)) return false;
    const freeMs = anyFree ? this.#slots.freeMs(nowMs) : this.#slots.freeMs(nowMs).map(() => nowMs);
    this.#choice.deferLate({ ...this.#choice.state(), freeMs: [[nowMs]] });
    const turn = this.#turns.next(anyFree, (queue) => this.#choice.state(queue, freeMs));
    if (turn === null) return false;
    if (turn.kind === 'wait') return this.#wait({ untilMs: turn.untilMs, rows: 0 });
    const inline = turn.requests.length <= this.#options.device.inlineRows && this.#inline === 0;
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

  /** Whether several roles are active, so that they take turns. */
  get #isShared(): boolean {
    return !this.#closed && this.#options.activeRoles.hasSeveral(this.#options.clock);
  }

  #run({ requests, subset }: QueueBatch, inline = false): void {
    if (requests.length === 0) return;
    const { fleet, clock, budgetMs } = this.#options;
    const shortMs = LONG_SHARE * budgetMs;
    const roles = this.#isShared ? this.#requests.rolesOf(requests) : [];
    const slot = inline ? undefined : this.#slots.take(clock.nowMs() + fleet.subsetMs(subset, requests.length));
    if (inline) this.#inline++;
    for (const role of roles) role.running++;
    const running = {
      requests,
      subset,
      work: workOf(requests, roles),
      onClosed: (request: QueuedRequest): void => this.#requests.close(request),
      onEnded: (ms: number, expectedMs: number): boolean =>
        roles.length === 0 || updateSlowness(roles, { ms, expectedMs, shortMs }, this.#requests.roles),
    };
    void answerBatch(running, this.#options).finally(() => {
      if (slot === undefined) this.#inline--;
      else this.#slots.free(slot);
      for (const role of roles) role.running--;
      this.#dispatch();
    });
  }
}
