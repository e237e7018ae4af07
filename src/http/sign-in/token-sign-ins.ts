import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { type LiveToken, noteUse, selectToken } from '../../db/statements/tokens.ts';
import { TokenLogin } from '../../db/token-login.ts';
import { AuthenticationFailed } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Tally } from '../../runtime/tally.ts';
import type { FairGate } from '../fair-gate.ts';
import type { HttpLimits } from '../limits.ts';
import { KeptSignIns } from './kept-sign-ins.ts';
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

/** A token is looked up again as {@link KeptSignIns} says. */
const REFRESH_MS = 1_000;
const EXPIRE_MS = 5_000;
/** Connections of a token without a call are closed after this. */
const IDLE_MS = 2_000;

const format = /^rafiki_[0-9a-f]{64}$/;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Roles that tokens stand for. The database has the hash of a hash of each, so the token itself never reaches it. */
export class TokenSignIns {
  readonly #options: TokenSignInsOptions;
  /** By the hash of the token's hash. */
  readonly #kept: KeptSignIns;
  readonly #open = new Tally();

  constructor(options: TokenSignInsOptions) {
    this.#options = options;
    const { clock, limits } = options;
    this.#kept = new KeptSignIns({ clock, max: limits.roles, refreshMs: REFRESH_MS, expireMs: EXPIRE_MS });
  }

  /** Without a promise if the token was looked up recently; undefined if it is not kept. */
  kept(token: string): SignedIn | Promise<SignedIn> | undefined {
    return this.#kept.of(sha256(sha256(token)));
  }

  /** Looks the token up. Throws {@link AuthenticationFailed}. */
  async enter(token: string): Promise<SignedIn> {
    if (!format.test(token)) throw invalidToken();
    const proof = sha256(token);
    const hash = sha256(proof);
    const found = await this.#find(hash);
    const { database, readerUrl, limits, statements, api, logger } = this.#options;
    const { statementsOfRole: maxConnections, statementMs } = limits;
    const { role } = found;
    const sessions = new TokenLogin({
      ...{ database, readerUrl, token: found, proof, logger },
      ...{ maxConnections, open: this.#open, statementMs, idleMs: IDLE_MS },
    });
    const servedAs = role.replaceAll('\x1f', ''); // as rafiki._session_role() has it
    const signedIn = new SignedIn({ role, servedAs, sessions, statements, api });
    this.#kept.add(hash, signedIn, async () => {
      const again = await this.#find(hash);
      // a role that was renamed: requests are counted and served by its new name after another sign-in; so is a function that was restored
      if (again.role !== role || again.version !== found.version) throw invalidToken();
    });
    return signedIn;
  }

  stop(): Promise<void> {
    return this.#kept.stop();
  }

  async #find(hash: string): Promise<LiveToken> {
    const { database, logger } = this.#options;
    const found = await selectToken(database, hash);
    if (found === undefined) throw invalidToken();
    if (found.isUseDue)
      noteUse(database, found.id).catch((error: unknown) =>
        logger.warn({ err: String(error) }, 'the use of a token was not noted'),
      );
    return found;
  }
}

export const invalidToken = (): AuthenticationFailed =>
  new AuthenticationFailed('the token is not valid', {
    detail: 'It is none, has expired or was revoked, or its role may no longer log in.',
    hint: 'Create one as the role: select rafiki_create_token(…);',
  });
