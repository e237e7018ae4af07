import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { AuthenticationFailed } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { CONNECT_TIMEOUT_MS, type Queryable, queryable, startupOptions, types } from './database.ts';
import { inTransaction } from './in-transaction.ts';

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

/** One transaction of a role. */
export interface RoleTransaction extends Queryable {
  /** COPY … FROM STDIN, of these bytes. */
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
export class RoleLogin implements Queryable {
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
        done((client as unknown as AskedClient).wasAsked ? undefined : notAsked(role));
      },
      types,
    } as pg.PoolConfig);
    this.#pool.on('error', (error) => logger.warn({ err: error.message }, 'idle connection of a role lost'));
  }

  async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    const result = await this.#pool.query(sql, [...values]);
    return result.rows as Row[];
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
    { statementMs = this.#statementMs }: { statementMs?: number } = {},
  ): Promise<T> {
    return inTransaction(this.#pool, 'begin', async (client) => {
      await client.query(`set local statement_timeout = ${statementMs}`);
      return work({ ...queryable(client), copyIn: (sql, rows) => pipeline(rows, client.query(from(sql))) });
    });
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
