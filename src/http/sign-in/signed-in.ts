import type { RoleLogin, RoleTransaction } from '../../db/role-login.ts';
import type { FairGate } from '../fair-gate.ts';

export interface SignedInOptions {
  role: string;
  /** The role that Postgres and the prediction servers know the session as. */
  servedAs: string;
  login: RoleLogin;
  statements: FairGate;
  /** The schema of the functions rafiki_*, quoted. */
  api: string;
}

/** A role that is signed in. What is kept for it here is never seen by another role. */
export class SignedIn {
  readonly role: string;
  readonly servedAs: string;
  readonly api: string;
  readonly #login: RoleLogin;
  readonly #statements: FairGate;

  constructor({ role, servedAs, login, statements, api }: SignedInOptions) {
    this.role = role;
    this.servedAs = servedAs;
    this.api = api;
    this.#login = login;
    this.#statements = statements;
  }

  /** The rows of a query, as JSON has them: numbers as numbers, times in ISO 8601. */
  rows<Row>(sql: string, values: readonly unknown[] = [], statementMs?: number): Promise<Row[]> {
    const json = `select row_to_json(_t) as row from (${sql}) _t`;
    return this.#statements.run(this.role, async () => {
      if (statementMs === undefined) return (await this.#login.query<{ row: Row }>(json, values)).map(({ row }) => row);
      return this.#login.transaction(async (on) => (await on.query<{ row: Row }>(json, values)).map(({ row }) => row), {
        statementMs,
      });
    });
  }

  /** Several statements in one transaction. */
  transaction<T>(work: (on: RoleTransaction) => Promise<T>, options: { statementMs?: number } = {}): Promise<T> {
    return this.#statements.run(this.role, () => this.#login.transaction(work, options));
  }

  verify(): Promise<void> {
    return this.#login.verify();
  }

  stop(): Promise<void> {
    return this.#login.stop();
  }
}
