import { FairClock } from '../machine/fair-clock.ts';
import { lateAt } from '../policies/batches.ts';
import { fill, hasRoom, largest } from './fullness.ts';
import { BATCH_CHARS, MAX_IDLE_ROLES, MAX_QUEUED, MAX_QUEUED_CHARS } from './limits.ts';
import {
  type QueuedRequest,
  QueueLoad,
  type RoleShare,
  type SessionShare,
  type WaitingState,
} from './queued-request.ts';
import { CREDIT_ROWS, costOf, newPart, newRole } from './role-share.ts';
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
  maxRows(first: RoleShare): number;
  /** Whether a role takes part. */
  accepts?(share: RoleShare): boolean;
  /** A session with more rows than a batch offers those that are due from then on: the batch would be late for others. */
  notBeforeMs?: number;
}

/** How much of a model's queue each role and session uses, and whose turn is next: by role, then by session. */
export class Shares {
  readonly #load = new QueueLoad();
  readonly #clock = new FairClock<string>({ credit: CREDIT_ROWS });
  readonly #roles = new Map<string, RoleShare>();
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
  get waiting(): RoleShare[] {
    return [...this.#roles.values()].filter(({ load }) => load.rows > 0);
  }

  get known(): Iterable<RoleShare> {
    return this.#roles.values();
  }

  rowsOf(role: string): number {
    return this.#roles.get(role)?.load.rows ?? 0;
  }

  /** How many rows at most come before a new one of this session, if roles and sessions take turns. */
  before(role: string, session: object): number {
    const parts = this.#roles.get(role)?.parts;
    const ofSession = parts?.get(session)?.load.rows ?? 0;
    const ofRole = Math.min(this.rowsOf(role), (ofSession + 1) * (parts?.size ?? 0));
    return (ofRole + 1) * this.waiting.length;
  }

  roleOf(role: string): RoleShare {
    return this.#roles.get(role) ?? this.#enterRole(role);
  }

  add(request: QueuedRequest, state: WaitingState): void {
    const part = this.#partOf(request.role, request.session);
    request.part = part;
    this.#load.add(request);
    part.load.add(request);
    part.share.load.add(request);
    this.#enter(request, part, state);
  }

  /** Changes the state of a waiting request. */
  move(request: QueuedRequest, from: WaitingState, to: WaitingState): void {
    const { part } = request;
    if (part === null) return;
    part.rows[from]--;
    part.share.rows[from]--;
    this.#enter(request, part, to);
  }

  remove(request: QueuedRequest, state: WaitingState): void {
    const { part } = request;
    if (part === null) return;
    request.part = null;
    this.#load.remove(request);
    part.load.remove(request);
    part.share.load.remove(request);
    part.rows[state]--;
    part.share.rows[state]--;
    if (part.load.rows === 0) this.#put(part);
  }

  /** As {@link remove}, for a request that may return before its place is cleaned up. */
  takeOut(request: QueuedRequest, state: WaitingState): void {
    const queues = request.part?.queues;
    this.remove(request, state);
    queues?.demanded.remove(request);
    queues?.deferred.remove(request);
  }

  /**
   * The rows whose turn is next: roles in the order of their tags, and within a role its sessions in that of theirs. A slow role
   * has batches of its own. Nothing is removed before {@link began}.
   */
  pick({ state, maxRows, accepts, notBeforeMs = 0 }: PickOptions): QueuedRequest[] {
    const roles = [...this.#roles.values()].filter((share) => share.rows[state] > 0 && accepts?.(share) !== false);
    roles.sort((a, b) => a.rows[state] - b.rows[state]); // of equal turns, those with fewer rows first
    const turns = roles.map((share) => {
      const most = maxRows(share);
      const startOf = ({ rows, queues }: SessionShare): number => {
        const start = rows[state] > most ? lateAt(queues[state], notBeforeMs) : 0;
        return start < queues[state].length ? start : 0;
      };
      const rows = bySession(share, state, startOf);
      return { share, tag: this.#clock.startOf(share.role), rows, next: rows.next().value };
    });
    const first = this.#clock.next(turns)?.share;
    if (first === undefined) return [];
    const together = turns.filter(({ share }) => (first.isSlow ? share === first : !share.isSlow));
    const max = maxRows(first);
    const picked: QueuedRequest[] = [];
    for (let chars = 0; picked.length < max && chars < BATCH_CHARS; ) {
      const turn = this.#clock.next(together);
      if (turn?.next === undefined) break;
      picked.push(turn.next);
      chars += turn.next.input.length;
      turn.tag += costOf(turn.share);
      turn.next = turn.rows.next().value;
    }
    return picked;
  }

  /** These rows leave the queue for a batch: their roles and sessions are charged. */
  began(requests: readonly QueuedRequest[], state: WaitingState): void {
    for (const request of requests) {
      const { part } = request;
      if (part === null) continue;
      const { share, session } = part;
      this.#clock.begin(this.#clock.startOf(share.role));
      this.#clock.charge(share.role, costOf(share));
      share.clock.begin(share.clock.startOf(session));
      share.clock.charge(session, 1);
      this.remove(request, state);
    }
  }

  /**
   * The part of a full queue that must give up a place: of the largest role, if the requesting role is below an even
   * share; otherwise of the largest session of the same role; null if the session has its share already.
   */
  largestShareFor(role: string, session: object): SessionShare | null {
    const waiting = this.waiting;
    const own = this.#roles.get(role);
    const roles = waiting.length + (this.rowsOf(role) === 0 ? 1 : 0);
    const greedy = largest(waiting);
    if (greedy !== undefined && greedy !== own && hasRoom(own?.load, 1 / roles)) {
      return largest(greedy.parts.values()) ?? null;
    }
    if (own === undefined) return null;
    const sessions = own.parts.size + (own.parts.has(session) ? 0 : 1);
    const room = hasRoom(own.parts.get(session)?.load, fill(own.load) / sessions);
    return (room ? largest(own.parts.values()) : undefined) ?? null;
  }

  /** The request of a part with the latest deadline; if all are late, the last late one. */
  lastOf(part: SessionShare): QueuedRequest | undefined {
    for (const state of ['demanded', 'deferred'] as const) {
      settle(part, state);
      const queue = part.queues[state];
      if (queue.length > 0) return queue.at(queue.length - 1);
    }
    return undefined;
  }

  #enter(request: QueuedRequest, part: SessionShare, state: WaitingState): void {
    const queue = part.queues[state];
    if (queue.length > 2 * part.rows[state] + SLACK) settle(part, state);
    part.rows[state]++;
    part.share.rows[state]++;
    queue.insert(request);
  }

  #partOf(role: string, session: object): SessionShare {
    const share = this.roleOf(role);
    const known = share.parts.get(session);
    if (known !== undefined) return known;
    const part = share.spare?.session === session ? share.spare : newPart(session, share);
    share.parts.set(session, part);
    this.#sessions++;
    return part;
  }

  /** The part is empty. */
  #put(part: SessionShare): void {
    this.#sessions--;
    part.share.parts.delete(part.session);
    part.share.clock.forget(part.session);
    part.queues.demanded.clear();
    part.queues.deferred.clear();
    part.share.spare = part;
  }

  #enterRole(role: string): RoleShare {
    const isIdle = ({ load, running }: RoleShare): boolean => load.rows === 0 && running === 0;
    if (this.#roles.size >= MAX_IDLE_ROLES) {
      const idle = [...this.#roles.values()].find(isIdle);
      if (idle !== undefined) this.#roles.delete(idle.role);
    }
    const share = newRole(role);
    this.#roles.set(share.role, share);
    return share;
  }
}
