import { FairClock } from '../machine/fair-clock.ts';
import { lateAt } from '../policies/batches.ts';
import { fill, hasRoom, largest } from './fullness.ts';
import { BATCH_CHARS, MAX_IDLE_ROLES, MAX_QUEUED, MAX_QUEUED_CHARS } from './limits.ts';
import {
  type QueuedRequest,
  QueueLoad,
  type RoleQueue,
  type SessionQueue,
  type WaitingState,
} from './queued-request.ts';
import { CREDIT_ROWS, costOf, newRoleQueue, newSessionQueue } from './role-queue.ts';
import { bySession, settle } from './session-rows.ts';

/**
 * Requests that have left are removed from a session's queue when they are as many as the waiting ones, and at least
 * this many.
 */
const SLACK = 64;

/** Restrictions on a pick. */
export interface PickOptions {
  state: WaitingState;
  /** Maximum rows of a batch that starts with this role. */
  maxRows(first: RoleQueue): number;
  /** Whether rows of a role may be picked. */
  accepts?(roleQueue: RoleQueue): boolean;
  /** A session with more rows than a batch offers those that are due from then on: the batch would be late for others. */
  notBeforeMs?: number;
}

/** The waiting requests of a model by role, then by session: how much each has, and whose turn is next. */
export class RoleQueues {
  readonly #load = new QueueLoad();
  readonly #clock = new FairClock<string>({ credit: CREDIT_ROWS });
  readonly #queues = new Map<string, RoleQueue>();
  #sessions = 0;

  /** How many sessions have rows. */
  get sessions(): number {
    return this.#sessions;
  }

  get rows(): number {
    return this.#load.rows;
  }

  get isFull(): boolean {
    return this.#load.rows >= MAX_QUEUED || this.#load.chars >= MAX_QUEUED_CHARS;
  }

  /** Roles with waiting rows. */
  get waiting(): RoleQueue[] {
    return [...this.#queues.values()].filter(({ load }) => load.rows > 0);
  }

  get known(): Iterable<RoleQueue> {
    return this.#queues.values();
  }

  rowsOf(role: string): number {
    return this.#queues.get(role)?.load.rows ?? 0;
  }

  /** How many rows at most come before a new one of this session, if roles and sessions take turns. */
  before(role: string, session: object): number {
    const ofRole = this.#queues.get(role)?.sessionQueues;
    const rowsOfSession = ofRole?.get(session)?.load.rows ?? 0;
    const rows = Math.min(this.rowsOf(role), (rowsOfSession + 1) * (ofRole?.size ?? 0));
    return (rows + 1) * this.waiting.length;
  }

  roleQueueOf(role: string): RoleQueue {
    return this.#queues.get(role) ?? this.#enterRole(role);
  }

  add(request: QueuedRequest, state: WaitingState): void {
    const sessionQueue = this.#sessionQueueOf(request.role, request.session);
    request.sessionQueue = sessionQueue;
    this.#load.add(request);
    sessionQueue.load.add(request);
    sessionQueue.roleQueue.load.add(request);
    this.#enter(request, sessionQueue, state);
  }

  /** Changes the state of a waiting request. */
  move(request: QueuedRequest, from: WaitingState, to: WaitingState): void {
    const { sessionQueue } = request;
    if (sessionQueue === null) return;
    sessionQueue.rows[from]--;
    sessionQueue.roleQueue.rows[from]--;
    this.#enter(request, sessionQueue, to);
  }

  remove(request: QueuedRequest, state: WaitingState): void {
    const { sessionQueue } = request;
    if (sessionQueue === null) return;
    request.sessionQueue = null;
    this.#load.remove(request);
    sessionQueue.load.remove(request);
    sessionQueue.roleQueue.load.remove(request);
    sessionQueue.rows[state]--;
    sessionQueue.roleQueue.rows[state]--;
    if (sessionQueue.load.rows === 0) this.#put(sessionQueue);
  }

  /** As {@link remove}, for a request that may return before its place is cleaned up. */
  takeOut(request: QueuedRequest, state: WaitingState): void {
    const queues = request.sessionQueue?.queues;
    this.remove(request, state);
    queues?.demanded.remove(request);
    queues?.deferred.remove(request);
  }

  /**
   * The rows whose turn is next: roles in the order of their tags, and within a role its sessions in that of theirs. A slow role
   * has batches of its own. Nothing is removed before {@link began}.
   */
  pick({ state, maxRows, accepts, notBeforeMs = 0 }: PickOptions): QueuedRequest[] {
    const queues = [...this.#queues.values()].filter(
      (roleQueue) => roleQueue.rows[state] > 0 && accepts?.(roleQueue) !== false,
    );
    queues.sort((a, b) => a.rows[state] - b.rows[state]); // of equal turns, those with fewer rows first
    const turns = queues.map((roleQueue) => {
      const most = maxRows(roleQueue);
      const startOf = ({ rows, queues }: SessionQueue): number => {
        const start = rows[state] > most ? lateAt(queues[state], notBeforeMs) : 0;
        return start < queues[state].length ? start : 0;
      };
      const rows = bySession(roleQueue, state, startOf);
      return { roleQueue, tag: this.#clock.startOf(roleQueue.role), rows, next: rows.next().value };
    });
    const first = this.#clock.next(turns)?.roleQueue;
    if (first === undefined) return [];
    const together = turns.filter(({ roleQueue }) => (first.isSlow ? roleQueue === first : !roleQueue.isSlow));
    const max = maxRows(first);
    const picked: QueuedRequest[] = [];
    for (let chars = 0; picked.length < max && chars < BATCH_CHARS; ) {
      const turn = this.#clock.next(together);
      if (turn?.next === undefined) break;
      picked.push(turn.next);
      chars += turn.next.input.length;
      turn.tag += costOf(turn.roleQueue);
      turn.next = turn.rows.next().value;
    }
    return picked;
  }

  /** These rows leave the queue for a batch: their roles and sessions are charged. */
  began(requests: readonly QueuedRequest[], state: WaitingState): void {
    for (const request of requests) {
      const { sessionQueue } = request;
      if (sessionQueue === null) continue;
      const { roleQueue, session } = sessionQueue;
      this.#clock.begin(this.#clock.startOf(roleQueue.role));
      this.#clock.charge(roleQueue.role, costOf(roleQueue));
      roleQueue.clock.begin(roleQueue.clock.startOf(session));
      roleQueue.clock.charge(session, 1);
      this.remove(request, state);
    }
  }

  /**
   * The session that must give up a place in a full queue: of the role with the most, if the requesting role has less than an even share;
   * otherwise of the same role; null if the requesting session has its even share already.
   */
  largestFor(role: string, session: object): SessionQueue | null {
    const waiting = this.waiting;
    const own = this.#queues.get(role);
    const roles = waiting.length + (this.rowsOf(role) === 0 ? 1 : 0);
    const greedy = largest(waiting);
    if (greedy !== undefined && greedy !== own && hasRoom(own?.load, 1 / roles)) {
      return largest(greedy.sessionQueues.values()) ?? null;
    }
    if (own === undefined) return null;
    const sessions = own.sessionQueues.size + (own.sessionQueues.has(session) ? 0 : 1);
    const room = hasRoom(own.sessionQueues.get(session)?.load, fill(own.load) / sessions);
    return (room ? largest(own.sessionQueues.values()) : undefined) ?? null;
  }

  /** The session's request with the latest deadline; if all are late, the last late one. */
  lastOf(sessionQueue: SessionQueue): QueuedRequest | undefined {
    for (const state of ['demanded', 'deferred'] as const) {
      settle(sessionQueue, state);
      const queue = sessionQueue.queues[state];
      if (queue.length > 0) return queue.at(queue.length - 1);
    }
    return undefined;
  }

  #enter(request: QueuedRequest, sessionQueue: SessionQueue, state: WaitingState): void {
    const queue = sessionQueue.queues[state];
    if (queue.length > 2 * sessionQueue.rows[state] + SLACK) settle(sessionQueue, state);
    sessionQueue.rows[state]++;
    sessionQueue.roleQueue.rows[state]++;
    queue.insert(request);
  }

  #sessionQueueOf(role: string, session: object): SessionQueue {
    const roleQueue = this.roleQueueOf(role);
    const known = roleQueue.sessionQueues.get(session);
    if (known !== undefined) return known;
    const sessionQueue = roleQueue.spare?.session === session ? roleQueue.spare : newSessionQueue(session, roleQueue);
    roleQueue.sessionQueues.set(session, sessionQueue);
    this.#sessions++;
    return sessionQueue;
  }

  /** It is empty. */
  #put(sessionQueue: SessionQueue): void {
    this.#sessions--;
    sessionQueue.roleQueue.sessionQueues.delete(sessionQueue.session);
    sessionQueue.roleQueue.clock.forget(sessionQueue.session);
    sessionQueue.queues.demanded.clear();
    sessionQueue.queues.deferred.clear();
    sessionQueue.roleQueue.spare = sessionQueue;
  }

  #enterRole(role: string): RoleQueue {
    const isIdle = ({ load, running }: RoleQueue): boolean => load.rows === 0 && running === 0;
    if (this.#queues.size >= MAX_IDLE_ROLES) {
      const idle = [...this.#queues.values()].find(isIdle);
      if (idle !== undefined) this.#queues.delete(idle.role);
    }
    const roleQueue = newRoleQueue(role);
    this.#queues.set(roleQueue.role, roleQueue);
    return roleQueue;
  }
}
