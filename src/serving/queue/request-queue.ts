import { DeadlineQueue } from './deadline-queue.ts';
import { joinedTerms, laterWaiter } from './joined-waiters.ts';
import { BATCH_CHARS, MAX_SPECULATIVE, MAX_SPECULATIVE_CHARS, PATIENCE_MS } from './limits.ts';
import {
  newRequest,
  type QueuedRequest,
  queueFull,
  type RefusedWaiters,
  type RequestOptions,
  type RequestWaiter,
  type RoleQueue,
  type WaitingState,
} from './queued-request.ts';
import { type PickOptions, RoleQueues } from './role-queues.ts';
import { WaitingRequests } from './waiting-requests.ts';

const noSession = {};
const never = Number.POSITIVE_INFINITY;

/** The unanswered requests of one model: those that can be in time, late ones, and speculative ones of reading ahead. */
export class RequestQueue {
  readonly #demanded = new DeadlineQueue<QueuedRequest>();
  readonly #deferred = new WaitingRequests('deferred');
  readonly #speculative = new WaitingRequests('speculative');
  /** By input, including running ones; requests for details are separate. */
  readonly #open = new Map<string, QueuedRequest>();
  readonly #openDetails = new Map<string, QueuedRequest>();
  readonly #roleQueues = new RoleQueues();

  first(): QueuedRequest | undefined {
    return this.#demanded.at(0);
  }

  get queue(): DeadlineQueue<QueuedRequest> {
    return this.#demanded;
  }

  get demanded(): number {
    return this.#demanded.length;
  }

  get deferred(): number {
    return this.#deferred.rows;
  }

  get speculative(): number {
    return this.#speculative.rows;
  }

  get roleQueues(): Iterable<RoleQueue> {
    return this.#roleQueues.known;
  }

  roleQueueOf(role: string): RoleQueue {
    return this.#roleQueues.roleQueueOf(role);
  }

  roleQueuesOf(requests: readonly QueuedRequest[]): RoleQueue[] {
    return [...new Set(requests.map(({ role }) => role))].map((role) => this.roleQueueOf(role));
  }

  get waitingRoles(): string[] {
    return this.#roleQueues.waiting.map(({ role }) => role);
  }

  get nextSpeculative(): string | undefined {
    return this.#speculative.next?.role;
  }

  /** Whether a late request has waited for {@link PATIENCE_MS}. */
  hasOld(nowMs: number): boolean {
    return nowMs - (this.#deferred.next?.deadlineMs ?? never) >= PATIENCE_MS;
  }

  get length(): number {
    return this.demanded + this.deferred + this.speculative;
  }

  find(input: string, wantsDetail: boolean): QueuedRequest | undefined {
    return (wantsDetail ? this.#openDetails : this.#open).get(input);
  }

  demand(input: string, options: RequestOptions): QueuedRequest {
    this.#makeRoom(options);
    const request = newRequest(input, options, 'demanded');
    this.#openOf(request).set(request.input, request);
    this.#demanded.insert(request);
    this.#roleQueues.add(request, 'demanded');
    return request;
  }

  /** Returns false if the queue of speculative requests is full. */
  speculate(input: string, role: string): boolean {
    const { load } = this.#speculative;
    if (load.rows >= MAX_SPECULATIVE || load.chars >= MAX_SPECULATIVE_CHARS) return false;
    const options = { wantsDetail: false, deadlineMs: never, budgetMs: never, isFirm: false, role, session: noSession };
    const request = newRequest(input, options, 'speculative');
    this.#openOf(request).set(request.input, request);
    this.#speculative.push(request);
    return true;
  }

  /** Of `due` rows with earlier deadlines, how many come before a new row of this session, if all take turns. */
  before({ role, session }: Pick<RequestOptions, 'role' | 'session'>, due: number): number {
    return Math.min(due, this.#roleQueues.before(role, session));
  }

  /** How many sessions wait, and rows besides the first of each: a session that asks for single rows has no others. */
  get sessions(): { count: number; surplus: number } {
    const { rows, sessions } = this.#roleQueues;
    return { count: sessions, surplus: rows - sessions };
  }

  /** Another waiter for an open request, which then has the earliest of their deadlines. */
  join(request: QueuedRequest, options: RequestOptions, waiter: RequestWaiter): void {
    if (request.state === 'speculative') {
      this.#speculative.leave(request);
      this.#demandBy(request, options);
      return;
    }
    const { state } = request;
    if (state !== 'demanded' && state !== 'deferred') return;
    const moves = this.#roleQueues.rowsOf(options.role) < this.#roleQueues.rowsOf(request.role); // it then comes sooner
    const terms = joinedTerms(request, { waiter, options, moves });
    if (terms === null) return;
    if (state === 'deferred') this.#deferred.leave(request);
    else this.#demanded.remove(request);
    this.#roleQueues.takeOut(request, state);
    this.#demandBy(request, terms);
  }

  #demandBy(request: QueuedRequest, { deadlineMs, budgetMs, isFirm, role, session }: RequestOptions): void {
    Object.assign(request, { state: 'demanded', deadlineMs, budgetMs, isFirm, role, session });
    this.#roleQueues.add(request, 'demanded');
    this.#demanded.insert(request);
  }

  /** The last waiter of a request that is not running has left. */
  drop(request: QueuedRequest): void {
    if (request.state === 'demanded') this.#demanded.remove(request);
    else if (request.state === 'deferred') this.#deferred.leave(request);
    else return;
    this.#roleQueues.remove(request, request.state);
    request.state = 'dropped';
    this.close(request);
  }

  /**
   * The first `count` are late in any case: defers them. Returns those that accept no late answer, and those before which
   * more than `maxBefore` late rows of other sessions come.
   */
  deferLate(count: number, maxBefore = never): RefusedWaiters[] {
    const refused: RefusedWaiters[] = [];
    for (const request of this.#demanded.take(0, count)) {
      const later = request.joined === null ? null : laterWaiter(request, refused);
      if (later !== null) {
        this.#roleQueues.takeOut(request, 'demanded');
        this.#demandBy(request, later);
        continue;
      }
      const others = this.deferred - (request.sessionQueue?.rows.deferred ?? 0);
      if (request.isFirm || (others > maxBefore && this.before(request, others) > maxBefore)) {
        this.#roleQueues.remove(request, 'demanded');
        request.state = 'dropped';
        this.close(request);
        refused.push({ waiters: request.waiters.splice(0), budgetMs: request.budgetMs, isFirm: request.isFirm });
      } else {
        this.#roleQueues.move(request, 'demanded', 'deferred');
        this.#deferred.push(request);
      }
    }
    return refused;
  }

  dropSpeculative(): void {
    while (this.speculative > 0) {
      for (const request of this.takeSpeculative(this.speculative)) {
        request.state = 'dropped';
        this.close(request);
      }
    }
  }

  /** The request is answered or has failed. */
  close(request: QueuedRequest): void {
    this.#openOf(request).delete(request.input);
    request.input = '';
  }

  takeAll(): QueuedRequest[] {
    const taken: QueuedRequest[] = [];
    while (this.demanded > 0) taken.push(...this.takeDemanded(0, this.demanded));
    while (this.deferred > 0) taken.push(...this.takeDeferred(this.deferred));
    for (const request of taken) this.close(request);
    this.dropSpeculative();
    return taken;
  }

  takeDemanded(from: number, rows: number): QueuedRequest[] {
    let chars = 0;
    const taken = this.#demanded.take(from, rows, ({ input }) => {
      const fits = chars < BATCH_CHARS;
      chars += input.length;
      return fits;
    });
    for (const request of taken) {
      request.state = 'running';
      this.#roleQueues.remove(request, 'demanded');
    }
    return taken;
  }

  takeDeferred(rows: number): QueuedRequest[] {
    const taken = this.#deferred.take(rows);
    for (const request of taken) this.#roleQueues.remove(request, 'deferred');
    return taken;
  }

  turns(options: PickOptions): QueuedRequest[] {
    return this.#roleQueues.pick(options);
  }

  /** Takes some or all results of {@link turns}, in order. */
  takeTurns(requests: readonly QueuedRequest[], state: WaitingState): void {
    for (const request of requests) request.state = 'running';
    this.#roleQueues.began(requests, state);
    if (state === 'deferred') for (const request of requests) this.#deferred.leave(request);
    else this.#demanded.removeAll(requests, (request) => request.state === 'demanded');
  }

  /** With `ofOneRole`, only consecutive rows of one role. */
  takeSpeculative(rows: number, ofOneRole = false): QueuedRequest[] {
    return this.#speculative.take(rows, ofOneRole);
  }

  /** A full queue is shared evenly: a role or session below its share displaces a request of the largest one. */
  #makeRoom({ role, session }: RequestOptions): void {
    if (!this.#roleQueues.isFull) return;
    const greedy = this.#roleQueues.largestFor(role, session);
    const last = greedy === null ? undefined : this.#roleQueues.lastOf(greedy);
    if (last === undefined) throw queueFull(this.#roleQueues.rows);
    this.drop(last);
    for (const waiter of last.waiters.splice(0)) waiter.reject(queueFull(this.#roleQueues.rows));
  }

  #openOf({ wantsDetail }: QueuedRequest): Map<string, QueuedRequest> {
    return wantsDetail ? this.#openDetails : this.#open;
  }
}
