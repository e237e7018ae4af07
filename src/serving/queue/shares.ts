import { ownCopy } from '../machine/active-roles.ts';
import { earliest, FairClock } from '../machine/fair-clock.ts';
import { lateAt } from '../policies/batches.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { fill, hasRoom, largest } from './fullness.ts';
import { BATCH_CHARS, MAX_IDLE_ROLES, MAX_QUEUED, MAX_QUEUED_CHARS } from './limits.ts';
import {
  type QueuedRequest,
  QueueLoad,
  type RoleShare,
  type SessionShare,
  type WaitingState,
} from './queued-request.ts';
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
  readonly #clock = new FairClock<string>();
  readonly #roles = new Map<string, RoleShare>();

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

  roleOf(role: string): RoleShare {
    return this.#roles.get(role) ?? this.#newRole(role);
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
   * The rows whose turn is next: roles in the order of their tags, and within a role its sessions in turn. A slow role
   * has batches of its own. Nothing is removed before {@link began}.
   */
  pick({ state, maxRows, accepts, notBeforeMs = 0 }: PickOptions): QueuedRequest[] {
    const roles = [...this.#roles.values()].filter((share) => share.rows[state] > 0 && accepts?.(share) !== false);
    roles.sort((a, b) => a.rows[state] - b.rows[state]); // of equal tags, those with fewer rows first
    const firstRole = earliest(roles.map((share) => ({ share, start: this.#clock.startOf(share.role) })))?.share;
    if (firstRole === undefined) return [];
    const max = maxRows(firstRole);
    const startOf = ({ rows, queues }: SessionShare): number => {
      const start = rows[state] > max ? lateAt(queues[state], notBeforeMs) : 0;
      return start < queues[state].length ? start : 0;
    };
    const all = roles.map((share) => ({
      share,
      start: this.#clock.startOf(share.role),
      rows: bySession(share, state, startOf),
    }));
    const first = all.find(({ share }) => share === firstRole)!;
    const turns = first.share.isSlow ? [first] : all.filter(({ share }) => !share.isSlow);
    const picked: QueuedRequest[] = [];
    for (let chars = 0; picked.length < max && chars < BATCH_CHARS; ) {
      const turn = earliest(turns);
      if (turn === undefined) break;
      const next = turn.rows.next();
      if (next.done === true) {
        turns.splice(turns.indexOf(turn), 1);
        continue;
      }
      picked.push(next.value);
      chars += next.value.input.length;
      turn.start += costOf(turn.share);
    }
    return picked;
  }

  /** These rows leave the queue for a batch: their roles are charged, and their sessions go to the end of the line. */
  began(requests: readonly QueuedRequest[], state: WaitingState): void {
    for (const request of requests) {
      const { part } = request;
      if (part === null) continue;
      const { share, session } = part;
      this.#clock.begin(this.#clock.startOf(share.role));
      this.#clock.charge(share.role, costOf(share));
      this.remove(request, state);
      if (share.parts.delete(session)) share.parts.set(session, part);
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
    return part;
  }

  /** The part is empty. */
  #put(part: SessionShare): void {
    part.share.parts.delete(part.session);
    part.queues.demanded.clear();
    part.queues.deferred.clear();
    part.share.spare = part;
  }

  #newRole(role: string): RoleShare {
    const isIdle = ({ load, running }: RoleShare): boolean => load.rows === 0 && running === 0;
    if (this.#roles.size >= MAX_IDLE_ROLES) {
      const idle = [...this.#roles.values()].find(isIdle);
      if (idle !== undefined) this.#roles.delete(idle.role);
    }
    const share: RoleShare = {
      role: ownCopy(role),
      load: new QueueLoad(),
      rows: noRows(),
      parts: new Map(),
      spare: null,
      running: 0,
      slowness: 0,
      quickest: 0,
      isSlow: false,
    };
    this.#roles.set(share.role, share);
    return share;
  }
}

const newPart = (session: object, share: RoleShare): SessionShare => ({
  session,
  share,
  load: new QueueLoad(),
  rows: noRows(),
  queues: { demanded: new DeadlineQueue<QueuedRequest>(), deferred: new DeadlineQueue<QueuedRequest>() },
});

const noRows = (): Record<WaitingState, number> => ({ demanded: 0, deferred: 0 });

/** Cost of a row: the same for all roles, except for slow ones. */
const costOf = ({ isSlow, slowness }: RoleShare): number => (isSlow ? Math.max(1, slowness) : 1);
