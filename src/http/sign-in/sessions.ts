import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../runtime/clock.ts';
import type { HttpLimits } from '../limits.ts';

/** A browser that has signed in. */
export interface PageSession {
  readonly role: string;
  /** The Authorization header that it signed in with: each request is checked with it, as one that brings it itself. */
  readonly authorization: string;
  /** Aborts when the session ends. */
  readonly ended: AbortSignal;
}

/** What the browser keeps of a session: a cookie that scripts cannot read, and a key that other origins cannot read. */
export interface PageSecrets {
  token: string;
  key: string;
}

interface KeptSession extends PageSession {
  keyHash: Buffer;
  beganMs: number;
  usedMs: number;
  controller: AbortController;
}

export type SessionLimits = Pick<HttpLimits, 'sessions' | 'sessionsOfRole' | 'sessionIdleMs' | 'sessionMaxMs'>;

const SECRET_BYTES = 32;
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/**
 * PageSessions of browsers, in the memory of this process. A cookie alone is not enough, because a browser sends it to every port of a
 * host; the key is kept by origin. Both are found by their hashes, so that the time of a comparison tells nothing.
 */
export class PageSessions {
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  /** By the hash of the token; the most recently used last. */
  readonly #sessions = new Map<string, KeptSession>();

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** How long one lasts at most. */
  get lastsSeconds(): number {
    return Math.trunc(this.#limits.sessionMaxMs / 1000);
  }

  /** The least recently used one of the role, or of all, makes room. */
  begin(role: string, authorization: string): PageSecrets {
    this.sweep();
    this.#makeRoom((session) => session.role === role, this.#limits.sessionsOfRole);
    this.#makeRoom(() => true, this.#limits.sessions);
    const token = randomBytes(SECRET_BYTES).toString('base64url');
    const key = randomBytes(SECRET_BYTES).toString('base64url');
    const controller = new AbortController();
    const nowMs = this.#clock.nowMs();
    const session: KeptSession = {
      role,
      authorization,
      ended: controller.signal,
      keyHash: hashOf(key),
      beganMs: nowMs,
      usedMs: nowMs,
      controller,
    };
    this.#sessions.set(hashOf(token).toString('base64'), session);
    return { token, key };
  }

  of({ token, key }: PageSecrets): PageSession | undefined {
    const name = hashOf(token).toString('base64');
    const session = this.#sessions.get(name);
    if (session === undefined || !timingSafeEqual(session.keyHash, hashOf(key))) return undefined;
    if (this.#isOver(session)) {
      this.#remove(name, session);
      return undefined;
    }
    session.usedMs = this.#clock.nowMs();
    this.#sessions.delete(name);
    this.#sessions.set(name, session);
    return session;
  }

  end(ended: PageSession): void {
    for (const [name, session] of this.#sessions) if (session === ended) this.#remove(name, session);
  }

  endAll(): void {
    for (const [name, session] of this.#sessions) this.#remove(name, session);
  }

  /** Forgets those whose time is over, with their passwords. */
  sweep(): void {
    for (const [name, session] of this.#sessions) if (this.#isOver(session)) this.#remove(name, session);
  }

  #isOver({ usedMs, beganMs }: KeptSession): boolean {
    const nowMs = this.#clock.nowMs();
    return nowMs - beganMs >= this.#limits.sessionMaxMs || nowMs - usedMs >= this.#limits.sessionIdleMs;
  }

  #makeRoom(counts: (session: KeptSession) => boolean, max: number): void {
    const counted = [...this.#sessions].filter(([, session]) => counts(session));
    for (const [name, session] of counted.slice(0, Math.max(0, counted.length - max + 1))) this.#remove(name, session);
  }

  #remove(name: string, session: KeptSession): void {
    this.#sessions.delete(name);
    session.controller.abort();
  }
}
