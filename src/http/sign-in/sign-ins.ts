import { hash, randomBytes } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { asReader } from '../../db/reader-login.ts';
import { RoleLogin } from '../../db/role-login.ts';
import { AuthenticationFailed } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { HttpRefusal } from '../error-answer.ts';
import { FairGate } from '../fair-gate.ts';
import type { HttpLimits } from '../limits.ts';
import { type Credentials, credentialsOf } from './credentials.ts';
import { Failures, networkOf } from './failures.ts';
import { KeptSignIns } from './kept-sign-ins.ts';
import { SignedIn } from './signed-in.ts';
import { invalidToken, TokenSignIns } from './token-sign-ins.ts';

export interface SignInsOptions {
  /** The service's sessions: those of roles reach the same database. */
  database: Database;
  /** Of rafiki_reader, if it is not that of the service with another role. */
  readerUrl?: string | undefined;
  /** The schema of the functions rafiki_*, quoted. */
  api: string;
  limits: HttpLimits;
  clock: Clock;
  logger: Logger;
}

const IDLE_MS = 2_000;
const bearer = /^Bearer +(\S+) *$/i;

/**
 * Checks passwords by connecting to Postgres, and remembers those that were right for a minute: so a role that is dropped, or whose
 * password changes, is out within that time.
 */
export class SignIns {
  readonly #options: SignInsOptions;
  /** Of this process: what is stored of a password is of no use elsewhere. */
  readonly #secret = randomBytes(32).toString('base64');
  readonly #kept: KeptSignIns;
  readonly #entering = new Map<string, Promise<SignedIn>>();
  readonly #ofAddress: Failures;
  readonly #ofRole: Failures;
  /** By the hash of a token that was refused: a client that goes on sending it is one failure of its address. */
  readonly #deadTokens: Failures;
  readonly #checks: FairGate;
  readonly #statements: FairGate;
  readonly #tokens: TokenSignIns;

  constructor(options: SignInsOptions) {
    const { clock, limits } = options;
    this.#options = options;
    const { roles: max, signInRefreshMs: refreshMs, signInExpireMs: expireMs } = limits;
    this.#kept = new KeptSignIns({ clock, max, refreshMs, expireMs });
    this.#ofAddress = new Failures(clock, limits.failuresOfAddress);
    this.#ofRole = new Failures(clock, limits.failuresOfRole);
    this.#deadTokens = new Failures(clock, limits.failuresOfAddress);
    this.#checks = new FairGate({
      what: 'attempts to sign in',
      places: limits.signIns,
      placesOfRole: limits.signIns,
      waitingOfRole: limits.waitingSignIns,
    });
    this.#statements = new FairGate({
      what: 'requests',
      places: limits.statements,
      placesOfRole: limits.statementsOfRole,
      waitingOfRole: limits.waitingStatements,
    });
    const { database, readerUrl = asReader(database.url), api, logger } = options;
    this.#tokens = new TokenSignIns({ database, readerUrl, api, limits, statements: this.#statements, clock, logger });
  }

  /** Without a promise if the password was checked recently. Throws {@link AuthenticationFailed}. */
  of(header: string | undefined, ip: string): SignedIn | Promise<SignedIn> {
    const address = networkOf(ip);
    const [, token] = bearer.exec(header ?? '') ?? [];
    if (token !== undefined) return this.#tokens.kept(token) ?? this.#enterToken(token, address);
    const credentials = credentialsOf(header); // a malformed header guesses nothing: it is no failure
    const key = hash('sha256', `${this.#secret}${credentials.role}\0${credentials.password}`, 'base64');
    return this.#kept.of(key) ?? this.#enter(key, credentials, address);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#tokens.stop(), this.#kept.stop()]);
  }

  async #enterToken(token: string, address: string): Promise<SignedIn> {
    const key = hash('sha256', `${this.#secret}${token}`, 'base64');
    this.#checkToken(key);
    this.#checkFailures(address);
    return this.#checks.run(address, async () => {
      this.#checkToken(key);
      this.#checkFailures(address);
      try {
        return (await this.#tokens.kept(token)) ?? (await this.#tokens.enter(token));
      } catch (error) {
        if (error instanceof AuthenticationFailed) {
          if (this.#deadTokens.add(key) === 1) this.#addFailure(address);
        }
        throw error;
      }
    });
  }

  /** Refuses one that was refused often within the minute, without a question to the database. */
  #checkToken(key: string): void {
    if (this.#deadTokens.waitSeconds(key) > 0) throw invalidToken();
  }

  #addFailure(address: string): void {
    const count = this.#ofAddress.add(address);
    const { logger, limits } = this.#options;
    if (count === 1)
      logger.warn({ address }, 'a sign-in was refused; others of its address within a minute are counted');
    if (count === limits.failuresOfAddress)
      logger.warn({ address, count }, 'new sign-ins of this address are refused until the minute is over');
  }

  /** Requests with the same credentials share one check. */
  #enter(key: string, credentials: Credentials, address: string): Promise<SignedIn> {
    const entering = this.#entering.get(key);
    if (entering !== undefined) return entering;
    const entered = this.#connect(key, credentials, address).finally(() => this.#entering.delete(key));
    this.#entering.set(key, entered);
    return entered;
  }

  async #connect(key: string, { role, password }: Credentials, address: string): Promise<SignedIn> {
    this.#checkFailures(address);
    const pair = `${address} ${role}`;
    refuseFor(this.#ofRole.waitSeconds(pair));
    const { database, limits, logger, api } = this.#options;
    return this.#checks.run(address, async () => {
      this.#checkFailures(address); // others of this address may have failed meanwhile
      refuseFor(this.#ofRole.waitSeconds(pair));
      const { statementMs, statementsOfRole: maxConnections } = limits;
      const login = new RoleLogin({
        databaseUrl: database.url,
        role,
        password,
        maxConnections,
        statementMs,
        idleMs: IDLE_MS,
        logger,
      });
      try {
        const [row] = await login.query<{ servedAs: string }>('select rafiki._session_role() as "servedAs"');
        const servedAs = row?.servedAs ?? role;
        const signedIn = new SignedIn({ role, servedAs, sessions: login, statements: this.#statements, api });
        this.#kept.add(key, signedIn, () => checkAgain(login));
        return signedIn;
      } catch (error) {
        void login.stop();
        if (!isRefusal(error)) throw error;
        this.#addFailure(address);
        this.#ofRole.add(pair);
        throw wrong(error);
      }
    });
  }

  #checkFailures(address: string): void {
    refuseFor(this.#ofAddress.waitSeconds(address));
  }
}

/** Postgres refuses the login: the role, its password, or its right to connect. */
const isRefusal = (error: unknown): boolean =>
  error instanceof AuthenticationFailed || /^(28...|42501)$/.test((error as { code?: string }).code ?? '');

async function checkAgain(login: RoleLogin): Promise<void> {
  try {
    await login.verify();
  } catch (error) {
    throw isRefusal(error) ? wrong(error) : error;
  }
}

/** One answer for all reasons: it does not tell which roles there are. */
function wrong(cause: unknown): AuthenticationFailed {
  if (cause instanceof AuthenticationFailed) return cause;
  return new AuthenticationFailed('role or password is wrong', {
    hint: 'Sign in with a Postgres role that has LOGIN, a password, and the right to connect to this database.',
    cause,
  });
}

function refuseFor(seconds: number): void {
  if (seconds === 0) return;
  throw new HttpRefusal({ status: 429, sqlstate: '53400' }, 'too many failed attempts to sign in', {
    hint: `Wait ${seconds} s.`,
  });
}
