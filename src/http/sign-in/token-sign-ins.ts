import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { type LiveToken, noteUse, selectToken } from '../../db/statements/tokens.ts';
import { TokenLogin } from '../../db/token-login.ts';
import { AuthenticationFailed } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { FairGate } from '../fair-gate.ts';
import type { HttpLimits } from '../limits.ts';
import { SignedIn } from './signed-in.ts';

export interface TokenSignInsOptions {
  /** The service's sessions. */
  database: Database;
  /** The URL of rafiki_reader, as which a token's calls are made. */
  readerUrl: string;
  /** The schema of the functions rafiki_*, quoted. */
  api: string;
  limits: HttpLimits;
  statements: FairGate;
  clock: Clock;
  logger: Logger;
}

/** A token is looked up again after the first time, in the background, and before the next request after the second. */
const REFRESH_MS = 1_000;
const EXPIRE_MS = 5_000;
/** Connections of a token without a call are closed after this. */
const IDLE_MS = 2_000;

interface KeptToken {
  token: LiveToken;
  signedIn: SignedIn;
  verifiedMs: number;
  verifying: Promise<void> | undefined;
}

const format = /^rafiki_[0-9a-f]{64}$/;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Roles that tokens stand for. The database has the hash of a hash of each, so the token itself never reaches it. */
export class TokenSignIns {
  readonly #options: TokenSignInsOptions;
  /** By the hash of the token's hash; the most recently used last. */
  readonly #kept = new Map<string, KeptToken>();

  constructor(options: TokenSignInsOptions) {
    this.#options = options;
  }

  /** Without a promise if the token was looked up recently; undefined if it is not kept. */
  kept(token: string): SignedIn | Promise<SignedIn> | undefined {
    const hash = sha256(sha256(token));
    const kept = this.#kept.get(hash);
    if (kept === undefined) return undefined;
    this.#kept.delete(hash);
    this.#kept.set(hash, kept);
    const ageMs = this.#options.clock.nowMs() - kept.verifiedMs;
    if (ageMs < REFRESH_MS) return kept.signedIn;
    kept.verifying ??= this.#verify(hash, kept).finally(() => {
      kept.verifying = undefined;
    });
    if (ageMs >= EXPIRE_MS) return kept.verifying.then(() => kept.signedIn);
    kept.verifying.catch(() => undefined); // a refused token is removed; another error counts when it is too old
    return kept.signedIn;
  }

  /** Looks the token up. Throws {@link AuthenticationFailed}. */
  async enter(token: string): Promise<SignedIn> {
    if (!format.test(token)) throw invalid();
    const proof = sha256(token);
    const hash = sha256(proof);
    const found = await this.#find(hash);
    const { database, readerUrl, limits, statements, api, logger, clock } = this.#options;
    const { statementsOfRole: maxConnections, statementMs } = limits;
    const { role } = found;
    const sessions = new TokenLogin({
      ...{ database, readerUrl, token: found, proof, logger },
      ...{ maxConnections, statementMs, idleMs: IDLE_MS },
    });
    const servedAs = role.replaceAll('\x1f', ''); // as rafiki._session_role() has it
    const signedIn = new SignedIn({ role, servedAs, sessions, statements, api });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= limits.roles && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(hash, { token: found, signedIn, verifiedMs: clock.nowMs(), verifying: undefined });
    return signedIn;
  }

  async stop(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map(({ signedIn }) => signedIn.stop()));
  }

  async #verify(hash: string, kept: KeptToken): Promise<void> {
    const startedMs = this.#options.clock.nowMs();
    try {
      const found = await this.#find(hash);
      // a role that was renamed: requests are counted and served by its new name after another sign-in; so is a function that was restored
      if (found.role !== kept.token.role || found.version !== kept.token.version) throw invalid();
      kept.verifiedMs = startedMs;
    } catch (error) {
      if (error instanceof AuthenticationFailed && this.#kept.get(hash) === kept) this.#kept.delete(hash);
      throw error;
    }
  }

  async #find(hash: string): Promise<LiveToken> {
    const { database, logger } = this.#options;
    const found = await selectToken(database, hash);
    if (found === undefined) throw invalid();
    noteUse(database, found.id).catch((error: unknown) =>
      logger.warn({ err: String(error) }, 'the use of a token was not noted'),
    );
    return found;
  }
}

const invalid = (): AuthenticationFailed =>
  new AuthenticationFailed('the token is not valid', {
    detail: 'It is none, has expired or was revoked, or its role may no longer log in.',
    hint: 'Create one as the role: select rafiki_create_token(…);',
  });
