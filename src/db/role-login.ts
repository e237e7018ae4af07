import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { AuthenticationFailed } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { CONNECT_TIMEOUT_MS, type Queryable, queryable, startupOptions, types } from './database.ts';
import { inTransaction, onConnection } from './in-transaction.ts';
import { limitMessages } from './message-limit.ts';
import { withRow } from './postgres-error.ts';
import { endBackendWithClient } from './reader-login.ts';

export interface RoleLoginOptions {
  /** The database, as any role: its user and password are replaced. */
  databaseUrl: string;
  role: string;
  /** Never empty: pg would then look for one in the operator's PGPASSFILE. */
  password: string;
  maxConnections: number;
  /** Of each statement, ms; {@link RoleLogin.transaction} may take longer. */
  statementMs: number;
  idleMs: number;
  logger: Logger;
}

/** Maximum of one message of the database to the HTTP server: a row, such as a model's file. */
export const MAX_MESSAGE_BYTES = 256 * 2 ** 20;

export interface CallOptions {
  /** Of each statement, ms; default: that of the login. */
  statementMs?: number | undefined;
  /** Cancels what runs. */
  signal?: AbortSignal | undefined;
}

/** Makes the calls `rafiki._http_*` as a role. */
export interface RoleCalls {
  /** The values that the call returns. */
  call(name: string, args: object, options?: CallOptions): Promise<unknown[]>;
  stop(): Promise<void>;
}

/** One transaction of a role. */
export interface RoleTransaction extends Queryable {
  /** COPY … FROM STDIN, of these bytes. An error says the row. */
  copyIn(sql: string, rows: AsyncIterable<Buffer | string>): Promise<void>;
}

/** A client that knows whether the server has asked for the password: with "trust" in pg_hba.conf any password would do. */
class AskedClient extends pg.Client {
  wasAsked = false;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    for (const event of ['authenticationSASLFinal', 'authenticationMD5Password', 'authenticationCleartextPassword']) {
      this.connection.once(event, () => {
        this.wasAsked = true;
      });
    }
  }
}

/** Sessions of a user's role, with the role's own password: what Postgres allows the role is what they may do. */
export class RoleLogin implements RoleCalls {
  readonly #pool: pg.Pool;
  readonly #statementMs: number;

  constructor(options: RoleLoginOptions) {
    const { databaseUrl, role, password, maxConnections: max, statementMs, idleMs, logger } = options;
    this.#statementMs = statementMs;
    this.#pool = new pg.Pool({
      connectionString: urlOf(databaseUrl, role, password),
      application_name: 'rafiki http',
      max,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: idleMs,
      options: startupOptions({ statement_timeout: `${statementMs}` }),
      Client: AskedClient,
      verify: (client: pg.PoolClient, done: (error?: Error) => void): void => {
        if (!(client as unknown as AskedClient).wasAsked) {
          done(notAsked(role));
          return;
        }
        limitMessages((client as pg.Client).connection.stream, MAX_MESSAGE_BYTES);
        endBackendWithClient(queryable(client)).then(() => done(), done);
      },
      types,
    } as pg.PoolConfig);
    this.#pool.on('error', (error) => logger.warn({ err: error.message }, 'idle connection of a role lost'));
  }

  query<Row>(sql: string, values: readonly unknown[] = [], signal?: AbortSignal): Promise<Row[]> {
    return onConnection(this.#pool, (client) => queryable(client).query<Row>(sql, values), signal);
  }

  async call(name: string, args: object, { statementMs, signal }: CallOptions = {}): Promise<unknown[]> {
    const sql = 'select answer from rafiki._http($1, $2) answer';
    const values = [name, JSON.stringify(args)];
    const rows =
      statementMs === undefined
        ? await this.query<{ answer: unknown }>(sql, values, signal)
        : await this.transaction((on) => on.query<{ answer: unknown }>(sql, values), { statementMs, signal });
    return rows.map(({ answer }) => answer);
  }

  /** Connects again: throws if the role may no longer connect with this password. */
  async verify(): Promise<void> {
    const client = new AskedClient(this.#pool.options);
    client.on('error', () => undefined);
    try {
      await client.connect();
      if (!client.wasAsked) throw notAsked(String(client.user));
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Runs `work` in one transaction, whose statements may take `statementMs` each. */
  transaction<T>(
    work: (on: RoleTransaction) => Promise<T>,
    { statementMs = this.#statementMs, signal }: CallOptions = {},
  ): Promise<T> {
    return inTransaction(
      this.#pool,
      'begin',
      async (client) => {
        await client.query(`set local statement_timeout = ${statementMs}`);
        return work({
          ...queryable(client),
          copyIn: (sql, rows) =>
            pipeline(rows, client.query(from(sql))).catch((error: unknown) => {
              throw withRow(error);
            }),
        });
      },
      signal,
    );
  }

  async stop(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

/** Percent signs are encoded, too, which a URL's setters leave: "a%62" must not become role "ab". */
function urlOf(databaseUrl: string, role: string, password: string): string {
  const url = new URL(databaseUrl);
  url.username = encodeURIComponent(role);
  url.password = encodeURIComponent(password);
  for (const name of ['user', 'password', 'options', 'application_name']) url.searchParams.delete(name);
  return url.href;
}

const notAsked = (role: string): AuthenticationFailed =>
  new AuthenticationFailed('the database does not ask for a password', {
    detail: `It accepts any for role ${role}.`,
    hint: 'Have pg_hba.conf ask for one where the HTTP server connects: scram-sha-256 in place of trust, peer or cert.',
  });
