import { type CallOptions, type RoleCalls, RoleLogin, type RoleTransaction } from '../../db/role-login.ts';
import { HttpRefusal } from '../error-answer.ts';
import type { FairGate } from '../fair-gate.ts';

export interface SignedInOptions {
  role: string;
  /** The role that Postgres and the prediction servers know the session as. */
  servedAs: string;
  /** Sessions with the role's password, or a token's. */
  sessions: RoleCalls;
  statements: FairGate;
  /** The schema of the functions rafiki_*, quoted. */
  api: string;
}

/** A role that is signed in. What is kept for it here is never seen by another role. */
export class SignedIn {
  readonly role: string;
  readonly servedAs: string;
  readonly api: string;
  /** Stands for the sign-in, whichever request it is: what is kept for it hangs on this. */
  readonly identity: object;
  /** Aborts when the client of the request has disconnected. */
  readonly signal: AbortSignal | undefined;
  readonly #options: SignedInOptions;

  constructor(options: SignedInOptions, request?: { identity: object; signal: AbortSignal | undefined }) {
    this.role = options.role;
    this.servedAs = options.servedAs;
    this.api = options.api;
    this.identity = request?.identity ?? this;
    this.signal = request?.signal;
    this.#options = options;
  }

  /** The same for one request, whose statements end when `signal` aborts. */
  during(signal: AbortSignal): SignedIn {
    return new SignedIn(this.#options, { identity: this.identity, signal });
  }

  /** The same for what several requests wait for: no client that disconnects ends it. */
  forAll(): SignedIn {
    return new SignedIn(this.#options, { identity: this.identity, signal: undefined });
  }

  /** The values of a call `rafiki._http_…`, as JSON has them: times in ISO 8601. */
  async call<Value>(name: string, args: object = {}, statementMs?: number): Promise<Value[]> {
    const { sessions, statements } = this.#options;
    const { signal } = this;
    return (await statements.run(this.role, () => sessions.call(name, args, { statementMs, signal }))) as Value[];
  }

  /** Several statements in one transaction. With the password only, see {@link byPassword}. */
  transaction<T>(work: (on: RoleTransaction) => Promise<T>, options: Omit<CallOptions, 'signal'> = {}): Promise<T> {
    const login = this.byPassword();
    const { signal } = this;
    return this.#options.statements.run(this.role, () => login.transaction(work, { ...options, signal }));
  }

  /** The sessions of the role itself. Throws {@link HttpRefusal} with a token: its function makes our calls only. */
  byPassword(): RoleLogin {
    const { sessions } = this.#options;
    if (sessions instanceof RoleLogin) return sessions;
    throw new HttpRefusal({ status: 403, sqlstate: '42501' }, 'this path needs the password of the role', {
      detail: 'A token creates, fills and drops no tables, and begins no sessions and creates no tokens.',
      hint: 'Sign in by HTTP Basic, with the role and its password.',
    });
  }

  stop(): Promise<void> {
    return this.#options.sessions.stop();
  }
}
