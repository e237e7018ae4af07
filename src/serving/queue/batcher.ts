import { ShuttingDown } from '../../errors/errors.ts';
import { setTimer } from '../../runtime/timer.ts';
import type { Work } from '../devices/work.ts';
import { doomed, earliestMs, lateAt } from '../policies/batches.ts';
import { largestBatch } from '../policies/latency-model.ts';
import type { Decision, PolicyState, QueueView } from '../policies/policy.ts';
import { ArrivalRate } from './arrival-rate.ts';
import { answerBatch, type BatcherOptions } from './batch-answer.ts';
import {
  cannotBeInTime,
  type QueuedRequest,
  type RequestTerms,
  type RequestWaiter,
  type RoleShare,
} from './queued-request.ts';
import { RequestQueue } from './request-queue.ts';
import { Slots } from './slots.ts';
import { judgeRun } from './slowness.ts';
import { DEFERRED_SHARE, LONG_SHARE, type QueueBatch, Turns } from './turns.ts';

/** So long after a request met another one, more are expected to come together. */
const COMPANY_MS = 100;
/** A batch of rows that nobody waits for in time must not keep a device for longer from those who do. */
const SPECULATIVE_MS = 10;
/** Such a batch is shared among the free slots where each is that much sooner done: more than posting to a thread takes. */
const SHARING_MS = 0.5;
/** Deadlines no further apart are the same one. */
const SAME_MS = 1e-6;

/** One model's queue: requests go in one by one, leave in batches when the policy says so, equal ones are asked once. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #requests = new RequestQueue();
  readonly #turns: Turns;
  readonly #slots: Slots;
  readonly #rate: ArrivalRate;
  #inline = 0;
  #scheduled = false;
  #companyUntilMs = 0;
  #comingUp = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#turns = new Turns(options, this.#requests);
    this.#slots = new Slots(options.device.slots);
    this.#rate = new ArrivalRate(options.budgetMs);
  }

  /** The waiter hears of the outcome, later; whoever does not want it any more leaves. */
  ask(text: string, terms: RequestTerms, waiter: RequestWaiter): QueuedRequest {
    if (this.#closed) throw new ShuttingDown('the model is being replaced or the server stops', { hint: 'Ask again.' });
    const nowMs = this.#options.clock.nowMs();
    this.#options.crowd.asked(terms.role, nowMs);
    if (!this.#idle) this.#companyUntilMs = nowMs + COMPANY_MS;
    const open = this.#requests.find(text, terms.wantsDetail);
    if (open === undefined) {
      this.#rate.arrived(nowMs);
      if (terms.isFirm) this.#refuseHopeless(terms, nowMs);
    } else this.#requests.join(open, terms);
    const request = open ?? this.#requests.demand(text, terms);
    request.waiters.push(waiter);
    if (!this.#options.device.isReady) this.#options.onAway();
    this.#schedule();
    return request;
  }

  leave(request: QueuedRequest, waiter: RequestWaiter): void {
    const place = request.waiters.indexOf(waiter);
    if (place < 0) return;
    request.waiters.splice(place, 1);
    if (request.waiters.length === 0) this.#requests.drop(request);
  }

  /** Computes ahead of a request that will probably come; for nothing if it does not. */
  warm(text: string, role: string): void {
    if (this.#closed || this.isOpen(text)) return;
    if (this.#requests.speculate(text, role)) this.#schedule();
  }

  isOpen(text: string): boolean {
    return this.#requests.find(text, false) !== undefined;
  }

  get speculativeQueued(): number {
    return this.#requests.speculative;
  }

  /** Takes no more requests, answers those that wait, forgets what was read ahead. */
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

  /** Refuses at once what is late even if the quickest member answers all that is due before, at full speed. */
  #refuseHopeless({ deadlineMs, budgetMs, role }: RequestTerms, nowMs: number): void {
    const { fleet, device } = this.#options;
    const ahead = this.#requests.before(role, lateAt(this.#requests.queue, deadlineMs + SAME_MS));
    if (ahead === 0) return;
    const rowMs = Math.min(...Array.from({ length: fleet.members }, (_, m) => fleet.latencyMs(m, largestBatch)));
    const readyMs = nowMs + (ahead * rowMs) / (largestBatch * device.slots);
    if (readyMs > deadlineMs) throw cannotBeInTime(budgetMs, readyMs - deadlineMs);
  }

  /**
   * With company, after the sockets that are readable now have been read: what they ask goes into one batch. A lone
   * request does not wait for that (25 µs).
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
    clearTimeout(this.#timer);
    if (!this.#options.device.isReady && this.#requests.length > 0) {
      this.#bringUp();
      return;
    }
    while (this.#isShared ? this.#dispatchTurn() : this.#dispatchDemanded());
    while (this.#requests.deferred + this.#requests.speculative > 0) {
      const requests = this.#isShared
        ? this.#turns.idle(this.#idleRows(), this.#slots.anyFree)
        : this.#slots.anyFree
          ? this.#idleBatch(this.#idleRows())
          : [];
      if (requests.length === 0) break;
      this.#run({ requests, subset: this.#options.fleet.best });
    }
    if (this.#idle) this.#onIdle?.();
  }

  /** The model is not in memory: all wait until it is, or learn why it cannot be. */
  #bringUp(): void {
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

  /** Runs the batch that the policy wants now; false when it wants none, or nothing is free to run it. */
  #dispatchDemanded(): boolean {
    const { device, fleet } = this.#options;
    const few = this.#requests.demanded <= device.inlineRows && this.#inline === 0;
    if (this.#requests.demanded === 0 || !(this.#slots.anyFree || few)) return false;
    const decision = this.#decide(few);
    if (decision.kind === 'wait') return this.#lookAgain(decision.untilMs);
    const { subset, from, rows } = decision;
    const late = Math.min(this.#requests.deferred, Math.floor(DEFERRED_SHARE * rows));
    const batch = this.#requests.takeDemanded(from, rows - late);
    const inline = batch.length + late <= device.inlineRows && this.#inline === 0;
    batch.push(...this.#requests.takeDeferred(late));
    if (!inline && subset === fleet.best) batch.push(...this.#requests.takeSpeculative(this.#roomIn(batch)));
    this.#run({ requests: batch, subset }, inline);
    return true;
  }

  /** As {@link #dispatchDemanded}, where several roles ask. */
  #dispatchTurn(): boolean {
    if (this.#requests.demanded === 0) return false;
    const nowMs = this.#options.clock.nowMs();
    const { anyFree } = this.#slots;
    const freeMs = anyFree ? this.#slots.freeMs(nowMs) : this.#slots.freeMs(nowMs).map(() => nowMs);
    this.#setLateAside({ ...this.#state(), freeMs: [[nowMs]] });
    const turn = this.#turns.next(anyFree, (queue) => this.#state(queue, freeMs));
    if (turn === null) return false;
    if (turn.kind === 'wait') return this.#lookAgain(turn.untilMs);
    const inline = turn.requests.length <= this.#options.device.inlineRows && this.#inline === 0;
    const late = inline ? [] : this.#turns.lateBeside(turn.requests);
    this.#run({ ...turn, requests: [...turn.requests, ...late] }, inline);
    return true;
  }

  /** At the latest when the first who waits could not be in time any more: he is put off then, and answered once a slot is free. */
  #lookAgain(untilMs: number): false {
    const nowMs = this.#options.clock.nowMs();
    const idle = { ...this.#state(), freeMs: [[nowMs]] };
    const firstMs = this.#requests.first()?.deadlineMs ?? Number.POSITIVE_INFINITY;
    const ms = Math.min(untilMs - nowMs, firstMs - earliestMs(this.#options.fleet, idle));
    if (Number.isFinite(ms)) this.#timer = setTimer(() => this.#dispatch(), Math.max(1, ms));
    return false;
  }

  /** Whether several roles ask these days: each has its turns then. */
  get #isShared(): boolean {
    return !this.#closed && this.#options.crowd.isMixed(this.#options.clock);
  }

  /** A batch of rows that nobody waits for in time. */
  #idleBatch(rows: number): QueuedRequest[] {
    const late = this.#requests.takeDeferred(rows);
    return [...late, ...this.#requests.takeSpeculative(rows - late.length)];
  }

  /** Rows read ahead that a batch can take along: it stays short, and nobody in it becomes late. */
  #roomIn(batch: readonly QueuedRequest[]): number {
    const { fleet, clock } = this.#options;
    const leftMs = (batch[0]?.deadlineMs ?? 0) - clock.nowMs();
    return Math.min(this.#idleRows(), fleet.rowsWithin(leftMs / fleet.margin)) - batch.length;
  }

  /** Those who cannot be in time are refused or put off first; `few` can run at once whatever else is busy. */
  #decide(few: boolean): Decision {
    const { fleet, policy } = this.#options;
    const all = {
      kind: 'dispatch',
      subset: fleet.best,
      from: 0,
      rows: Math.min(this.#requests.demanded, largestBatch),
    } as const;
    if (this.#closed || (few && !this.#slots.anyFree)) return all;
    const state = this.#state();
    this.#setLateAside(state);
    if (this.#requests.demanded === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 1 };
    return policy.decide(state);
  }

  #setLateAside(state: PolicyState): void {
    const { fleet } = this.#options;
    const late = doomed(fleet, state);
    if (late === 0) return;
    const retryMs = fleet.subsetMs(fleet.best, Math.min(late, largestBatch));
    for (const request of this.#requests.setAside(late)) {
      for (const waiter of request.waiters.splice(0)) waiter.reject(cannotBeInTime(request.budgetMs, retryMs));
    }
  }

  /** The rate is worked out only when a policy wants it: a lone request is answered before that. */
  #state(queue: QueueView = this.#requests.queue, freeMs?: readonly number[]): PolicyState {
    const nowMs = this.#options.clock.nowMs();
    const budgetMs = this.#requests.first()?.budgetMs ?? this.#options.budgetMs;
    const rate = this.#rate;
    return {
      nowMs,
      queue,
      budgetMs,
      freeMs: [freeMs ?? this.#slots.freeMs(nowMs)],
      get rate() {
        return rate.at(nowMs);
      },
    };
  }

  /** Rows that nobody waits for in time which one batch takes: more than run on the event loop, which has enough to do. */
  #idleRows(): number {
    const { fleet, device } = this.#options;
    const took = (rows: number): number => fleet.subsetMs(fleet.best, rows);
    const most = fleet.rowsWithin(Math.max(SPECULATIVE_MS, 4 * took(1)));
    const rows = Math.min(most, this.#requests.deferred + this.#requests.speculative);
    const part = Math.ceil(rows / Math.max(1, device.slots - this.#slots.taken));
    return Math.min(largestBatch, Math.max(device.inlineRows + 1, took(rows) - took(part) < SHARING_MS ? most : part));
  }

  #run({ requests, subset }: QueueBatch, inline = false): void {
    if (requests.length === 0) return;
    const { fleet, clock, budgetMs } = this.#options;
    const shortMs = LONG_SHARE * budgetMs;
    const roles = this.#isShared ? this.#rolesOf(requests) : [];
    const slot = inline ? undefined : this.#slots.take(clock.nowMs() + fleet.subsetMs(subset, requests.length));
    if (inline) this.#inline++;
    for (const role of roles) role.running++;
    const running = {
      requests,
      subset,
      work: workOf(requests, roles),
      closed: (request: QueuedRequest): void => this.#requests.close(request),
      ended: (ms: number, expectedMs: number): boolean =>
        roles.length === 0 || judgeRun(roles, { ms, expectedMs, shortMs }, this.#requests.roles),
    };
    void answerBatch(running, this.#options).finally(() => {
      if (slot === undefined) this.#inline--;
      else this.#slots.free(slot);
      for (const role of roles) role.running--;
      this.#dispatch();
    });
  }

  #rolesOf(requests: readonly QueuedRequest[]): RoleShare[] {
    return [...new Set(requests.map(({ role }) => role))].map((role) => this.#requests.roleOf(role));
  }
}

function workOf(requests: readonly QueuedRequest[], roles: readonly RoleShare[]): Omit<Work, 'begins'> | undefined {
  if (roles.length === 0) return undefined;
  const rows = new Map<string, number>();
  for (const { role } of requests) rows.set(role, (rows.get(role) ?? 0) + 1);
  return { rows, isLong: roles.some(({ isApart }) => isApart) };
}
